//! The clock of the kernel log, compared with `CLOCK_BOOTTIME`.
//!
//! In: a line's time; both clocks from the scheduler's debug file. Out: the same time on `CLOCK_BOOTTIME`.
//!
//! printk stamps with `local_clock` (`kernel/printk/printk.c`), which leaves suspends out and which NTP does not slew: on a
//! server of weeks it is seconds away from the clocks that user space can read. The scheduler prints both at once
//! (`sched_debug_header`, `kernel/sched/debug.c`): in debugfs from 5.13 on, before in `/proc`. Where neither can be read,
//! the two clocks are taken to agree, as they do soon after the boot.

use std::{
    fs::File,
    io::Read as _,
    sync::atomic::{AtomicI64, Ordering},
};

use nix::time::ClockId;

use super::identity::nanoseconds;

const FILES: [&str; 2] = ["/sys/kernel/debug/sched/debug", "/proc/sched_debug"];
/// The clocks are in the first lines. The kernel formats no more than is read: the rest lists each CPU and each of its
/// tasks (`seq_read_iter`, `fs/seq_file.c`).
const HEAD: u64 = 400;

/// How far the log's clock is ahead of `CLOCK_MONOTONIC`, as last measured.
static AHEAD_NS: AtomicI64 = AtomicI64::new(0);

/// Reads both clocks; to be done now and then, for they drift.
pub fn measure() {
    let mut text = Vec::new();
    let head = FILES.iter().find_map(|path| File::open(path).ok());
    let read = head.and_then(|file| file.take(HEAD).read_to_end(&mut text).ok());
    let ahead = read.and_then(|_| ahead_of_monotonic(&String::from_utf8_lossy(&text)));
    if let Some(ahead) = ahead {
        AHEAD_NS.store(ahead, Ordering::Relaxed);
    }
}

/// How long the machine has slept in this boot.
#[must_use]
pub fn suspended_ns() -> u64 {
    let once = || {
        let monotonic = nanoseconds(ClockId::CLOCK_MONOTONIC);
        nanoseconds(ClockId::CLOCK_BOOTTIME).saturating_sub(monotonic)
    };
    // Between the two readings another task may run: the least is nearest.
    once().min(once()).min(once())
}

/// How far `CLOCK_BOOTTIME` is ahead of the log's clock, for lines since the last resume.
#[must_use]
pub fn offset_ns() -> i64 {
    let suspended = i64::try_from(suspended_ns()).unwrap_or(0);
    suspended.saturating_sub(AHEAD_NS.load(Ordering::Relaxed))
}

/// `CLOCK_BOOTTIME` of a time of the log, microseconds.
#[must_use]
pub fn boottime_of(time_us: u64) -> u64 {
    moved(time_us, offset_ns())
}

fn moved(time_us: u64, offset_ns: i64) -> u64 {
    time_us
        .saturating_mul(1000)
        .saturating_add_signed(offset_ns)
}

/// `ktime : 4831.123456`, `cpu_clk : 4849.123456`: milliseconds, the second is `local_clock`.
fn ahead_of_monotonic(text: &str) -> Option<i64> {
    let value = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = lines.find(|(key, _)| key.trim() == name)?;
        let (whole, fraction) = value.trim().split_once('.')?;
        let is_short = fraction.len() == 6 && fraction.bytes().all(|byte| byte.is_ascii_digit());
        let fraction: i64 = is_short.then(|| fraction.parse().ok()).flatten()?;
        whole
            .parse::<i64>()
            .ok()?
            .checked_mul(1_000_000)?
            .checked_add(fraction)
    };
    value("cpu_clk")?.checked_sub(value("ktime")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_are_read_from_the_head() {
        let text = "Sched Debug Version: v0.11, 6.1.0-50-cloud-amd64 #1\n\
            ktime                                   : 7122.431658\n\
            sched_clk                               : 7140.502019\n\
            cpu_clk                                 : 7140.502167\n\
            jiffies                                 : 4294673916\n";
        assert_eq!(ahead_of_monotonic(text), Some(18_070_509));
        assert_eq!(ahead_of_monotonic(&text[..90]), None);
        assert_eq!(ahead_of_monotonic("ktime : x\ncpu_clk : 1.5\n"), None);
        assert_eq!(
            ahead_of_monotonic(&format!(
                "ktime : {}.000000\ncpu_clk : 1.000000\n",
                i64::MAX
            )),
            None
        );
    }

    #[test]
    fn a_time_of_the_log_is_moved_by_as_much() {
        assert_eq!(moved(5_000_000, -18_000_000), 4_982_000_000);
        assert_eq!(moved(5_000_000, 18_000_000), 5_018_000_000);
        assert_eq!(moved(0, -1), 0);
        assert_eq!(moved(u64::MAX, i64::MAX), u64::MAX);
    }
}
