//! What became of a command: for people on standard error, and files for CI.

pub mod checks;
pub mod junit;
pub mod people;
pub mod tap;

#[cfg(test)]
mod tests {
    //! Outcomes of each kind.

    use crate::verdict::{
        Ended, Outcome,
        tests::{end, interrupt, judge, policy, taint},
    };

    /// Own, unknown, allowed, expired and another's.
    pub(super) fn mixed() -> Outcome {
        let rules = [
            "E,expires=2026-12-31,reason=signed <next> month #12",
            "W,expires=2026-01-31,reason=bug 7",
            "P",
        ];
        let mut judge = judge(policy(&rules));
        judge.event(taint("/run-1/a", 'O', 12, 1));
        judge.event(taint("/run-1", 'E', 13, 1));
        judge.event(interrupt());
        judge.event(interrupt());
        judge.event(taint("/else", 'O', 12, 2));
        judge.note("2 log_line records were lost: the kernel overwrote its log");
        end(judge, Ended::Exit(0))
    }

    pub(super) fn clean(ended: Ended) -> Outcome {
        end(judge(policy(&[])), ended)
    }

    pub(super) fn unwatched() -> Outcome {
        let mut judge = judge(policy(&[]));
        judge.gap("monitoring is degraded: no hooks");
        let mut outcome = end(judge, Ended::Exit(0));
        outcome.command.cgroup = None;
        outcome.command.left_running = true;
        outcome
    }
}
