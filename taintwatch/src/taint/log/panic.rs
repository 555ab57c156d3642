//! A panic within a report: whether the report's flag was set before it.
//!
//! In: the flag and its place, the panic's message, the release where it is known. Out: set, not set, or not known.
//! A dead kernel sets no flag any more: `__warn` panics before `add_taint` (`kernel/panic.c`, all versions), the memory
//! checkers do since 5.19 (`end_report`, `mm/kasan/report.c`), and machine checks since 5.17 (`do_machine_check`,
//! `arch/x86/kernel/cpu/mce/core.c`: the flag waits for the end of code that may not be instrumented).

use super::TaintLine;
use crate::taint::{flags::bit, release::Release, version::Version};

/// Whether a flag was set when the kernel panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtPanic {
    Set,
    NotSet,
    /// Kernels differ, and which one it was is not known.
    Unknown,
}

const CHECKERS_PANIC_FIRST: Version = Version::new(5, 19);
const MACHINE_CHECKS_PANIC_FIRST: Version = Version::new(5, 17);

impl TaintLine {
    /// Whether its flag was set when the same code panicked with this message.
    #[must_use]
    pub fn at_panic(&self, panic: &str, release: Option<Release>) -> AtPanic {
        let by_version = |since| match release.map(|release| release.version >= since) {
            Some(true) => AtPanic::NotSet,
            Some(false) => AtPanic::Set,
            None => AtPanic::Unknown,
        };
        let by_warning = panic.contains("panic_on_warn set")
            || panic.contains("system warned too often")
            || panic.starts_with("scheduling while atomic");
        let is_checker = matches!(
            self.place,
            Some("end_report" | "kfence_report_error" | "kmsan_report")
        );
        match self.place {
            Some("do_machine_check") if panic.starts_with("Fatal local machine check") => {
                AtPanic::NotSet
            }
            Some("do_machine_check") if panic.contains("achine check") => {
                by_version(MACHINE_CHECKS_PANIC_FIRST)
            }
            _ if is_checker && (by_warning || panic.contains("kasan.fault=panic")) => {
                by_version(CHECKERS_PANIC_FIRST)
            }
            // A WARN has no place of its own, except that which a `WARN_TAINT` was called from.
            _ if by_warning && self.report && self.bit != bit::DIE => AtPanic::NotSet,
            _ => AtPanic::Set,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_can_come_before_the_flag() {
        let warning = "WARNING: CPU: 1 PID: 812 at a.c:1 f+0x1/0x10";
        let kasan = "BUG: KASAN: invalid-access in f+0x50/0x90";
        let check = "mce: [Hardware Error]: CPU 7: Machine Check Exception: 5 Bank 0: b2";
        let lockup = "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [x:1]";
        for (line, panic, release, expected) in [
            (
                warning,
                "kernel: panic_on_warn set ...",
                "",
                AtPanic::NotSet,
            ),
            (warning, "panic_on_warn set ...", "4.4.0", AtPanic::NotSet),
            (
                "BUG: scheduling while atomic: x/1/0x2",
                "scheduling while atomic",
                "5.10.0",
                AtPanic::NotSet,
            ),
            (
                kasan,
                "kasan.fault=panic set ...",
                "6.1.155",
                AtPanic::NotSet,
            ),
            (kasan, "panic_on_warn set ...", "5.10.0", AtPanic::Set),
            (kasan, "panic_on_warn set ...", "", AtPanic::Unknown),
            (check, "Fatal machine check", "", AtPanic::Unknown),
            (check, "Fatal machine check", "5.10.0", AtPanic::Set),
            (check, "Fatal machine check", "6.1.0", AtPanic::NotSet),
            (
                check,
                "Fatal local machine check",
                "5.10.0",
                AtPanic::NotSet,
            ),
            (lockup, "softlockup: hung tasks", "6.1.0", AtPanic::Set),
            (
                "Oops: 0002 [#1] SMP",
                "Fatal exception",
                "6.1.0",
                AtPanic::Set,
            ),
        ] {
            let found = TaintLine::parse(line).unwrap();
            let release = Release::parse(release);
            assert_eq!(found.at_panic(panic, release), expected, "{line} {panic}");
        }
    }
}
