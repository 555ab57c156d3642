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

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "WARNING: CPU: 1 PID: 7 at x.c:1 f+0x1/0x2";
    const LOAD: &str = "m: loading out-of-tree module taints kernel.";
    const STATE: &str = "CPU: 1 PID: 7 Comm: x Not tainted 6.1.0 #1";

    /// From the first place to the last.
    fn finding(text: &str, since_boot: Option<u64>, first: u64, last: u64) -> Finding {
        Finding {
            what: TaintLine::parse(text).map_or(What::State, What::TaintLine),
            host: None,
            boot: LoggedBoot::default(),
            at: Moment {
                since_boot,
                place: first,
                ..Moment::default()
            },
            last_place: last,
            lines: Vec::new(),
            facts: Facts::default(),
        }
    }

    #[test]
    fn a_state_denies_only_what_was_written_before_it() {
        const AT: u64 = 5_000_000_000;
        for (flag, flags_last, state, expected) in [
            (LOAD, 1, AT - 1, true),
            (LOAD, 1, AT, false),
            (LOAD, 9, AT + 1, false),
            (REPORT, 3, AT, true),
            (REPORT, 3, AT + AT_ONCE_NS - 1, true),
            (REPORT, 3, AT + AT_ONCE_NS, false),
            (REPORT, 5, AT + 60_000_000_000, false),
            (REPORT, 6, AT + 60_000_000_000, true),
        ] {
            let flag = finding(flag, Some(AT), 1, flags_last);
            let shown = finding(STATE, Some(state), 5, 7);
            assert_eq!(
                shown.says_nothing_of(&flag),
                expected,
                "{flags_last} {state}"
            );
        }
    }

    #[test]
    fn without_times_two_reports_can_be_of_one_moment() {
        let report = finding(REPORT, None, 1, 3);
        assert!(finding(REPORT, None, 5, 7).says_nothing_of(&report));
        assert!(!finding(STATE, None, 5, 7).says_nothing_of(&report));
        assert!(!finding(REPORT, None, 5, 7).says_nothing_of(&finding(LOAD, None, 1, 1)));
    }
}
