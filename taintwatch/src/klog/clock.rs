//! The clock of a log: whether it goes on, or started again with another boot.
//!
//! In: lines with the time since the boot. Out: whether the clock went back further than the disorder of CPUs explains.

use super::Line;

/// Back by so much and to less than half, or by much more: lines of one boot are not in such disorder.
const BACK_NS: u64 = 2_000_000_000;
const FAR_BACK_NS: u64 = 60_000_000_000;

#[derive(Debug, Default)]
pub(super) struct Clock {
    last_ns: u64,
}

impl Clock {
    /// Takes a line; whether the clock started again with it.
    pub(super) fn goes_back(&mut self, line: &Line<'_>) -> bool {
        let Some(now) = kernels(line) else {
            return false;
        };
        let by = |least: u64| now.saturating_add(least) < self.last_ns;
        let back = by(FAR_BACK_NS) || (by(BACK_NS) && now < self.last_ns / 2);
        self.last_ns = if back { now } else { self.last_ns.max(now) };
        back
    }

    /// Another boot begins with a line.
    pub(super) fn restart(&mut self, line: &Line<'_>) {
        self.last_ns = kernels(line).unwrap_or(0);
    }
}

/// The time of a line of the kernel's own: on a guest of Xen it can be another than the programs have.
fn kernels(line: &Line<'_>) -> Option<u64> {
    line.since_boot.filter(|_| !is_of_a_program(line.text))
}

/// `systemd[1]: …`, written to /dev/kmsg or to the console.
fn is_of_a_program(text: &str) -> bool {
    let pid = || {
        let (name, rest) = text.split_once('[')?;
        let (pid, _) = rest.split_once("]: ")?;
        let is_name = !name.is_empty() && !name.contains([' ', ':']);
        Some(is_name && !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit()))
    };
    pid().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disorder_and_other_clocks_are_no_boot() {
        let at = |ms: u64, text| Line {
            since_boot: Some(ms * 1_000_000),
            ..Line::of(text)
        };
        for (before, then, text, expected) in [
            (182_628, 180_141, "late line of a CPU", false),
            (182_628, 80_000, "boot", true),
            (500_000, 400_000, "boot", true),
            (182_628, 122_628, "disorder, at most", false),
            (182_628, 122_627, "boot", true),
            (9000, 1, "x y[212]: z", true),
            (9000, 1, "[212]: z", true),
            (9000, 1, "x[]: z", true),
            (9000, 1, "x[2a]: z", true),
            (9000, 1, "boot", true),
            (9000, 8000, "disorder", false),
            (9000, 1, "systemd-networkd[212]: lo: Configured", false),
        ] {
            let mut clock = Clock::default();
            assert!(!clock.goes_back(&at(before, "before")));
            assert_eq!(
                clock.goes_back(&at(then, text)),
                expected,
                "{before} {then}"
            );
        }
    }

    #[test]
    fn a_boot_that_is_known_starts_the_clock_again() {
        let at = |ms: u64| Line {
            since_boot: Some(ms * 1_000_000),
            ..Line::of("x")
        };
        let mut clock = Clock::default();
        assert!(!clock.goes_back(&at(500_000)));
        clock.restart(&at(1));
        assert!(!clock.goes_back(&at(2)));
    }
}
