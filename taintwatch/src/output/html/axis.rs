//! Where on the width of a drawing a time is.
//!
//! In: a boot. Out: places in hundredths of a percent, whole numbers all the way. Most flags are set while a
//! machine starts: of a long boot the first two minutes take a quarter of the width, and the rest is what is left.

use std::fmt;

use crate::{coverage::Stamp, event::Time, history::BootHistory};

const SECOND: u64 = 1_000_000_000;
/// How much of a boot counts as its start.
const START: u64 = 120 * SECOND;
/// A boot is long when it is so many times as long as its start.
const LONG: u64 = 10;
/// The whole width, and the start's part of it.
pub(super) const WHOLE: u32 = 10_000;
const START_PART: u32 = 2500;
/// Lengths that people count in, in seconds.
const STEPS: [(u64, &str); 19] = [
    (1, "1 s"),
    (5, "5 s"),
    (10, "10 s"),
    (30, "30 s"),
    (60, "1 min"),
    (300, "5 min"),
    (600, "10 min"),
    (1800, "30 min"),
    (3600, "1 h"),
    (7200, "2 h"),
    (21_600, "6 h"),
    (43_200, "12 h"),
    (86_400, "1 d"),
    (172_800, "2 d"),
    (604_800, "7 d"),
    (1_209_600, "14 d"),
    (2_592_000, "30 d"),
    (7_776_000, "90 d"),
    (31_536_000, "365 d"),
];

/// A place on the width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place(pub(super) u32);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}%", self.0 / 100, self.0 % 100)
    }
}

/// The time that a drawing spans.
pub(super) struct Axis {
    /// When the boot began, on the wall clock of its first stamp; where that is not known, the first time.
    began: Time,
    span: u64,
    is_long: bool,
}

impl Axis {
    pub(super) fn of(boot: &BootHistory<'_>) -> Self {
        let mut stamps = boot.events.iter().map(|event| Stamp::of(event));
        let began = stamps.find_map(Stamp::boot);
        let began = began.unwrap_or(boot.from).time;
        let mut axis = Self {
            began,
            span: 0,
            is_long: false,
        };
        let ends = boot
            .events
            .iter()
            .map(|event| Stamp::of(event))
            .chain([boot.to]);
        axis.span = ends.map(|at| axis.since(at)).max().unwrap_or(0).max(SECOND);
        axis.is_long = axis.span > START * LONG;
        axis
    }

    /// Nanoseconds since the boot began; without a boot clock the wall clock has to do.
    fn since(&self, at: Stamp) -> u64 {
        let by_wall = || {
            let since = at.time.0.duration_since(self.began.0).as_nanos();
            u64::try_from(since).unwrap_or(0)
        };
        at.boottime_ns.unwrap_or_else(by_wall)
    }

    pub(super) fn place(&self, at: Stamp) -> Place {
        self.at(self.since(at))
    }

    fn at(&self, since: u64) -> Place {
        let part = |since: u64, of: u64, width: u32| {
            let place = u128::from(since) * u128::from(width) / u128::from(of.max(1));
            u32::try_from(place).unwrap_or(u32::MAX)
        };
        let since = since.min(self.span);
        Place(if !self.is_long {
            part(since, self.span, WHOLE)
        } else if since <= START {
            part(since, START, START_PART)
        } else {
            START_PART + part(since - START, self.span - START, WHOLE - START_PART)
        })
    }

    /// Where the start ends, when it has a part of its own.
    pub(super) fn break_at(&self) -> Option<Place> {
        self.is_long.then_some(Place(START_PART))
    }

    /// Marks of the axis.
    pub(super) fn ticks(&self) -> Vec<(Place, String)> {
        let (begin, room) = if self.is_long { (START, 4) } else { (0, 5) };
        let span = (self.span - begin) / SECOND;
        let fits = STEPS.iter().find(|(step, _)| span / step < room);
        let step = fits.or(STEPS.last()).map_or(1, |(step, _)| *step).max(1);
        let mut ticks = vec![(Place(0), "boot".to_owned())];
        if self.is_long {
            ticks.push((self.at(60 * SECOND), "1 min".to_owned()));
            ticks.push((self.at(START), "2 min".to_owned()));
        }
        let first = begin / SECOND / step + 1;
        for number in first..first.saturating_add(40) {
            let since = number.saturating_mul(step).saturating_mul(SECOND);
            if since > self.span {
                break;
            }
            let place = self.at(since);
            // A label beside another's end cannot be read.
            let far = ticks.last().is_none_or(|(last, _)| place.0 - last.0 >= 900);
            if far && place.0 <= 9700 {
                ticks.push((place, label(number * step)));
            }
        }
        ticks
    }
}

fn label(seconds: u64) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "min")];
    let unit = units
        .iter()
        .find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    unit.map_or_else(
        || format!("{seconds} s"),
        |(unit, name)| format!("{} {name}", seconds / unit),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(seconds: u64) -> Axis {
        Axis {
            began: Time("2026-01-01T00:00:00Z".parse().unwrap()),
            span: seconds * SECOND,
            is_long: seconds * SECOND > START * LONG,
        }
    }

    #[test]
    fn the_start_of_a_long_boot_has_its_quarter() {
        let day = axis(86_400);
        assert_eq!(day.at(0), Place(0));
        assert_eq!(day.at(60 * SECOND), Place(1250));
        assert_eq!(day.at(START), Place(2500));
        assert_eq!(day.at(u64::MAX), Place(WHOLE));
        assert_eq!(axis(600).at(300 * SECOND).to_string(), "50.00%");
    }

    #[test]
    fn ticks_are_few_and_have_round_numbers() {
        let labels = |seconds| {
            axis(seconds)
                .ticks()
                .into_iter()
                .map(|(_, label)| label)
                .collect::<Vec<_>>()
        };
        assert_eq!(labels(40), ["boot", "10 s", "20 s", "30 s"]);
        assert_eq!(
            labels(14_350),
            ["boot", "1 min", "2 min", "1 h", "2 h", "3 h"]
        );
        assert_eq!(
            labels(86_400 * 40),
            ["boot", "1 min", "2 min", "14 d", "28 d"]
        );
        for seconds in [1, 7, 100, 1199, 1201, 5000, 100_000, 1 << 34] {
            let ticks = axis(seconds).ticks();
            assert!(
                ticks.len() <= 9 && ticks.is_sorted(),
                "{seconds}: {ticks:?}"
            );
        }
    }
}
