//! Points and periods of a boot's time.
//!
//! In: times of events, on the wall clock and on `CLOCK_BOOTTIME`. Out: which came first, and how long it was. The clock
//! that no setting moves decides wherever both ends have it.

use std::time::Duration;

use jiff::SignedDuration;
use serde::Serialize;

use crate::event::{Event, Time};

/// A time of a boot, on the wall clock and on `CLOCK_BOOTTIME` where that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub time: Time,
    pub boottime_ns: Option<u64>,
}

/// From one time to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Period {
    pub from: Time,
    pub to: Time,
    /// The same on `CLOCK_BOOTTIME`, which no setting of the wall clock moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_ns: Option<u64>,
}

impl Stamp {
    /// When the event happened.
    #[must_use]
    pub const fn of(event: &Event) -> Self {
        Self {
            time: event.time,
            boottime_ns: event.boottime_ns,
        }
    }

    /// By the clock that never jumps, where both times have it.
    #[must_use]
    pub fn is_before(self, other: Self) -> bool {
        match (self.boottime_ns, other.boottime_ns) {
            (Some(own), Some(other)) => own < other,
            _ => self.time < other.time,
        }
    }

    /// The later one.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        if self.is_before(other) { other } else { self }
    }

    /// When the boot of this time began.
    #[must_use]
    pub fn boot(self) -> Option<Self> {
        self.back_to(0)
    }

    /// An earlier time of the same boot, on `CLOCK_BOOTTIME`.
    #[must_use]
    pub fn back_to(self, boottime_ns: u64) -> Option<Self> {
        let since = self.boottime_ns?.checked_sub(boottime_ns)?;
        let since = SignedDuration::try_from(Duration::from_nanos(since)).ok()?;
        Some(Self {
            time: Time(self.time.0.checked_sub(since).ok()?),
            boottime_ns: Some(boottime_ns),
        })
    }
}

impl Period {
    #[must_use]
    pub const fn new(from: Stamp, to: Stamp) -> Self {
        Self {
            from: from.time,
            to: to.time,
            from_ns: from.boottime_ns,
            to_ns: to.boottime_ns,
        }
    }

    #[must_use]
    pub const fn start(&self) -> Stamp {
        Stamp {
            time: self.from,
            boottime_ns: self.from_ns,
        }
    }

    #[must_use]
    pub const fn end(&self) -> Stamp {
        Stamp {
            time: self.to,
            boottime_ns: self.to_ns,
        }
    }

    /// By the boot's clock where both ends are on it.
    #[must_use]
    pub fn length(&self) -> SignedDuration {
        let by_boot_clock = self.from_ns.zip(self.to_ns).and_then(|(from, to)| {
            let length = Duration::from_nanos(to.saturating_sub(from));
            SignedDuration::try_from(length).ok()
        });
        by_boot_clock.unwrap_or_else(|| self.to.0.duration_since(self.from.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wall_s: i64, boottime_ns: Option<u64>) -> Stamp {
        Stamp {
            time: Time(jiff::Timestamp::from_second(wall_s).unwrap()),
            boottime_ns,
        }
    }

    /// Somebody set the wall clock back in between.
    #[test]
    fn the_clock_of_the_boot_decides_where_both_have_it() {
        assert!(at(9, Some(1)).is_before(at(5, Some(2))));
        assert!(!at(5, Some(2)).is_before(at(9, Some(1))));
        assert!(!at(5, Some(2)).is_before(at(9, Some(2))));
    }

    #[test]
    fn the_wall_clock_decides_where_one_has_nothing_else() {
        assert!(at(5, None).is_before(at(9, Some(1))));
        assert!(!at(9, Some(1)).is_before(at(5, None)));
        assert!(!at(5, None).is_before(at(5, Some(1))), "at once");
    }
}
