//! Whether the monitoring of a boot was cut off.
//!
//! In: the coverage events of a boot, in order. Out: whether the daemon recorded the last end itself. If it did not, what
//! it held in memory then is lost.

use crate::event::{Coverage, CoverageState};

/// Why an interval ended that has no event of its end.
pub const UNCLEAN: &str = "monitoring ended uncleanly: the daemon was killed or the power was lost";
/// The same reason as earlier versions recorded it.
const UNCLEAN_BEFORE: &str =
    "the watch ended without a word: it was killed, or the machine went down";
/// Why an interval ended with the kernel, before the text of the panic.
pub(crate) const PANICKED: &str = "the kernel panicked: ";

/// Whether the event is an end that the daemon could not record itself: a later start or a crash record shows it.
pub(crate) fn cuts_off(coverage: &Coverage) -> bool {
    let reason = coverage.reason.as_str();
    let by_others = [UNCLEAN, UNCLEAN_BEFORE].contains(&reason) || reason.starts_with(PANICKED);
    coverage.state == CoverageState::Ended && by_others
}

/// Whether the last monitoring of a boot was cut off. A panic after a recorded end did not cut it off.
pub(crate) fn was_cut_off<'a>(coverage: impl IntoIterator<Item = &'a Coverage>) -> bool {
    let mut open = true;
    let mut cut_off = true;
    for coverage in coverage {
        let ended = coverage.state == CoverageState::Ended;
        if open || !ended {
            cut_off = !ended || cuts_off(coverage);
        }
        open = !ended;
    }
    cut_off
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_after_a_recorded_end_did_not_cut_it_off() {
        let coverage = |state, reason: &str| Coverage {
            state,
            reason: reason.to_owned(),
            release: None,
            mask: None,
            self_test: None,
            attached_since_ns: None,
            unwatched: None,
            hooks: Vec::new(),
        };
        let began = coverage(CoverageState::Began, "");
        let stopped = coverage(CoverageState::Ended, "stopped by SIGTERM");
        let panicked = coverage(CoverageState::Ended, "the kernel panicked: x");
        let killed = coverage(CoverageState::Ended, UNCLEAN);
        let of_old = coverage(CoverageState::Ended, UNCLEAN_BEFORE);
        for (ends, cut_off) in [
            (&[][..], true),
            (&[&stopped], false),
            (&[&stopped, &panicked], false),
            (&[&panicked], true),
            (&[&killed], true),
            (&[&of_old], true),
            (&[&killed, &began, &stopped], false),
            (&[&stopped, &began], true),
        ] {
            let all = std::iter::once(&began).chain(ends.iter().copied());
            assert_eq!(was_cut_off(all), cut_off, "{ends:?}");
        }
    }
}
