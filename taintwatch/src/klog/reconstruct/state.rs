//! What a state that the kernel printed says of the lines before it.
//!
//! In: the state, and what a line says was set. Out: whether it counts, is denied, or is open, since its report can have
//! been written while the state was printed.

use super::claims::Claim;
use crate::{
    event::Mask,
    klog::{Facts, Finding, What, finding::AT_ONCE_NS},
    taint::{log::AtPanic, text::Reading},
};

/// A state that the kernel printed.
pub(super) struct State {
    pub(super) mask: Mask,
    /// With every reading of letters that kernels mean differently.
    pub(super) possible: Mask,
    pub(super) is_doubtful: bool,
    since_boot: Option<u64>,
    place: u64,
    /// A report begins or ends with it, and not a line of another kind.
    is_report: bool,
    /// The panic that it was printed in.
    panic: Option<String>,
}

/// What a state says of an earlier finding.
pub(super) enum Verdict {
    Counts,
    /// The state lacks it and decides nothing: its letters are not sure, or the report can have been written meanwhile.
    Open,
    Denied(Vec<u32>),
}

impl State {
    pub(super) fn of(finding: &Finding, facts: &Facts) -> Self {
        let mask = facts.mask.unwrap_or_default();
        Self {
            mask,
            possible: Mask(mask.0 | bits(&facts.readings).0),
            is_doubtful: facts.mask_is_doubtful,
            since_boot: finding.at.since_boot,
            place: finding.at.place,
            is_report: matches!(&finding.what, What::TaintLine(line) if line.report),
            panic: facts.panic.clone().filter(|_| facts.mask_is_after),
        }
    }

    /// A flag that is set here was set, whatever was not known of it.
    pub(super) fn decide(&self, claims: &mut [Claim]) {
        for claim in claims.iter_mut().filter(|claim| self.mask.has(claim.bit())) {
            claim.unsure = None;
        }
    }

    /// Whether what a finding says was set before this state is set in it.
    pub(super) fn verdict(&self, finding: &Finding, claims: &[Claim]) -> Verdict {
        let denied = claims.iter().map(Claim::bit);
        let denied: Vec<_> = denied.filter(|bit| !self.possible.has(*bit)).collect();
        if denied.is_empty() {
            Verdict::Counts
        } else if self.is_doubtful {
            // The next state decides.
            Verdict::Open
        } else if claims.iter().any(|claim| claim.line.report)
            && !self.panicked_first(claims)
            && self.is_at_once(finding)
        {
            Verdict::Open
        } else {
            Verdict::Denied(denied)
        }
    }

    /// The code that reported it panicked before it set the flag.
    fn panicked_first(&self, claims: &[Claim]) -> bool {
        let panic = self.panic.as_deref();
        panic.is_some_and(|panic| {
            let mut claims = claims.iter();
            claims.any(|claim| claim.line.at_panic(panic, None) != AtPanic::Set)
        })
    }

    /// Two reports that can have been written at once, which cannot be excluded without times.
    fn is_at_once(&self, finding: &Finding) -> bool {
        if finding.last_place > self.place {
            return true;
        }
        match finding.at.since_boot.zip(self.since_boot) {
            Some((one, other)) => one.abs_diff(other) < AT_ONCE_NS,
            None => self.is_report,
        }
    }
}

/// The flags that letters can be which kernels mean differently.
pub(super) fn bits(readings: &[Reading]) -> Mask {
    let bits = readings.iter().map(|reading| reading.bit);
    bits.fold(Mask(0), Mask::with)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_that_goes_on_behind_a_state_may_be_of_the_same_time() {
        let mut scanner = crate::klog::Scanner::new();
        let mut found = scanner.push(&crate::klog::Line::of(
            "m: loading out-of-tree module taints kernel.",
        ));
        found.extend(scanner.finish());
        let mut finding = found.remove(0);
        let state = |since_boot, is_report| State {
            since_boot,
            is_report,
            place: 5,
            ..State::of(&found_state(), &Facts::default())
        };
        let at = Some(10 * AT_ONCE_NS);
        finding.at.since_boot = Some(9 * AT_ONCE_NS);
        finding.last_place = 5;
        assert!(!state(at, true).is_at_once(&finding));
        finding.last_place = 6;
        assert!(state(at, true).is_at_once(&finding), "it ends behind it");
        finding.last_place = 4;
        finding.at.since_boot = Some(9 * AT_ONCE_NS + 1);
        assert!(state(at, true).is_at_once(&finding));
        assert!(state(None, true).is_at_once(&finding));
        assert!(!state(None, false).is_at_once(&finding));
    }

    fn found_state() -> Finding {
        let mut scanner = crate::klog::Scanner::new();
        let line = "CPU: 0 PID: 7 Comm: x Tainted: G           O      6.1.0 #1";
        let mut found = scanner.push(&crate::klog::Line::of(line));
        found.extend(scanner.finish());
        found.remove(0)
    }

    #[test]
    fn letters_that_can_be_several_flags_can_be_each() {
        let reading = |bit| Reading {
            bit,
            letter: Some('X'),
            name: None,
            vendor: "unknown",
            happened: None,
        };
        assert_eq!(bits(&[reading(16), reading(31)]), Mask(1 << 16 | 1 << 31));
        assert_eq!(bits(&[]), Mask(0));
    }
}
