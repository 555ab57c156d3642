//! What a scanner finds in a log.

use super::{Facts, Moment};
use crate::taint::log::TaintLine;

/// A part of a log that matters to the taint state.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub what: What,
    /// The machine, where the log names it.
    pub host: Option<String>,
    pub boot: LoggedBoot,
    /// The time of the first line.
    pub at: Moment,
    /// The place of the last line: reports of two CPUs can overlap.
    pub last_place: u64,
    /// The lines, without their prefixes; the first is the one that showed it.
    pub lines: Vec<String>,
    /// What else the lines say.
    pub facts: Facts,
}

/// Two reports whose times differ by less can have been written at once, on two CPUs.
pub(super) const AT_ONCE_NS: u64 = 2_000_000_000;

impl Finding {
    /// Whether the state that this finding shows says nothing of a flag that an earlier place of the log shows: a report
    /// sets its flag at its end, while another CPU may print a state; and pasted parts stand in any order, so that by the
    /// kernel's own time the state can be the earlier one.
    #[must_use]
    pub fn says_nothing_of(&self, flag: &Self) -> bool {
        let is_report = |what: &What| matches!(what, What::TaintLine(line) if line.report);
        let times = flag.at.since_boot.zip(self.at.since_boot);
        if times.is_some_and(|(flag, state)| state < flag) {
            return true;
        }
        let overlaps = match times {
            Some((flag, state)) => state - flag < AT_ONCE_NS,
            None => is_report(&self.what),
        };
        is_report(&flag.what) && (overlaps || flag.last_place > self.at.place)
    }
}

/// The kind of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The kernel began, or lines of another boot begin.
    Boot,
    /// A flag was set: a report, or a single line.
    TaintLine(TaintLine),
    /// A module was refused, and no flag set.
    Refused(String),
    /// A taint state, a list of modules or a panic, and nothing that sets a flag.
    State,
}

/// One boot within a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LoggedBoot {
    /// Counted from 0 within the log, for each machine.
    pub ordinal: u64,
    /// The boot id, where the log has it (the journal).
    pub id: Option<String>,
    /// The kernel's release, from its first line or from a report.
    pub release: Option<String>,
}
