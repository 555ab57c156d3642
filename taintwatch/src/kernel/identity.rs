//! Which machine and which boot this is, and the time.
//!
//! In: `/etc/machine-id`, `/proc/sys/kernel/*`, the clocks. Out: plain values.

use std::{fs, io};

use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};

use crate::event::Time;

/// The machine and its present boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `/etc/machine-id`; absent on machines without one.
    pub host: Option<String>,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// `uname -r`.
    pub release: String,
}

impl Identity {
    /// Reads the identity of the running kernel.
    pub fn read() -> io::Result<Self> {
        let line = |path| fs::read_to_string(path).map(|text| text.trim().to_owned());
        Ok(Self {
            host: line("/etc/machine-id").ok().filter(|id| !id.is_empty()),
            boot_id: line("/proc/sys/kernel/random/boot_id")?,
            release: release()?,
        })
    }
}

/// The running kernel's release, as `uname -r` says it.
pub fn release() -> io::Result<String> {
    fs::read_to_string("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned())
}

/// `CLOCK_BOOTTIME` in nanoseconds: it counts from the boot, suspends included, and never jumps.
#[must_use]
pub fn boottime_ns() -> u64 {
    nanoseconds(ClockId::CLOCK_BOOTTIME)
}

/// `CLOCK_MONOTONIC`, microseconds.
#[must_use]
pub fn monotonic_us() -> u64 {
    nanoseconds(ClockId::CLOCK_MONOTONIC) / 1000
}

/// The wall-clock time of a time on `CLOCK_BOOTTIME`, by the wall clock as it is set now.
#[must_use]
pub fn wall_clock(boottime_ns: u64) -> Time {
    let boot = i128::from(nanoseconds(ClockId::CLOCK_REALTIME)) - i128::from(self::boottime_ns());
    let time = boot + i128::from(boottime_ns);
    Time(Timestamp::from_nanosecond(time).unwrap_or(Timestamp::UNIX_EPOCH))
}

pub(super) fn nanoseconds(clock: ClockId) -> u64 {
    // Both clocks exist since 2.6.39, so the call cannot fail; 1970 would be plain to see.
    clock_gettime(clock).map_or(0, |now| {
        let seconds = u64::try_from(now.tv_sec()).unwrap_or(0);
        seconds * 1_000_000_000 + u64::try_from(now.tv_nsec()).unwrap_or(0)
    })
}
