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
