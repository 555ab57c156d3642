//! Which intervals of a boot were watched, and which were not.
//!
//! In: the coverage events of one boot, and the last sign of life of the watch. Out: intervals and the gaps
//! between them. Pure. Silence proves that nothing happened within an interval that is `full`, and nowhere else.

use std::time::Duration;

use jiff::SignedDuration;
use serde::Serialize;

use crate::event::{Coverage, CoverageState, Event, Time};

/// An interval that was watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Interval {
    pub from: Time,
    pub to: Time,
    /// The same on `CLOCK_BOOTTIME`, which no setting of the wall clock moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_ns: Option<u64>,
    /// Every layer was in place.
    pub full: bool,
    /// What was missing, or that nothing was.
    pub how: String,
    /// How it ended; absent while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

/// An interval that was not watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    pub from: Time,
    pub to: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_ns: Option<u64>,
    pub reason: String,
}

/// A moment of a boot, on the wall clock and on `CLOCK_BOOTTIME` where that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub time: Time,
    pub boottime_ns: Option<u64>,
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

    /// By the clock that never jumps, where both moments have it.
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

    /// When this moment's boot began.
    #[must_use]
    pub fn boot(self) -> Option<Self> {
        let since = SignedDuration::try_from(Duration::from_nanos(self.boottime_ns?)).ok()?;
        Some(Self {
            time: Time(self.time.0.checked_sub(since).ok()?),
            boottime_ns: Some(0),
        })
    }
}

/// What is known of the end of a boot's last interval.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The moment up to which there are gaps to tell: now, or the last sign of the boot.
    pub until: Stamp,
    /// The recorder runs.
    pub running: bool,
    /// Its last sign of life, where that is known: nobody watched after it.
    pub watched: Option<Stamp>,
}

/// The cover of one boot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BootCoverage {
    pub intervals: Vec<Interval>,
    pub gaps: Vec<Gap>,
}

/// The cover of the boot that these events are of, oldest first.
#[must_use]
pub fn of<'a>(events: impl Iterator<Item = &'a Event>, now: Now) -> BootCoverage {
    let events: Vec<_> = events.collect();
    let mut cover = BootCoverage::default();
    let mut open: Option<Interval> = None;
    // What the watch itself stamped tells best when the boot began; what was found later has a time worked out.
    let stamped = events.iter().find(|event| event.coverage.is_some());
    let mut end_of_last = stamped
        .or(events.first())
        .and_then(|event| Stamp::of(event).boot())
        .map(|boot| (boot, BEFORE.to_owned()));
    for event in events {
        let Some(coverage) = &event.coverage else {
            continue;
        };
        let at = Stamp::of(event);
        if let Some(interval) = open.take() {
            end_of_last = Some((at, coverage.reason.clone()));
            cover.interval(interval, at, Some(coverage.reason.clone()));
        }
        if coverage.state == CoverageState::Ended {
            continue;
        }
        if let Some((end, reason)) = end_of_last.take() {
            cover.gap(end, at, reason);
        }
        open = Some(Interval {
            from: at.time,
            to: at.time,
            from_ns: at.boottime_ns,
            to_ns: None,
            full: coverage.state == CoverageState::Began,
            how: coverage.reason.clone(),
            ended: None,
        });
    }
    if let Some(interval) = open {
        cover.open(interval, now);
    } else if let Some((end, reason)) = end_of_last {
        cover.gap(end, now.until, reason);
    }
    cover
}

/// Why an interval ended that has no event of its end.
pub const UNCLEAN: &str = "the watch ended without a word: it was killed, or the machine went down";
/// Why an interval ended with the kernel, before the panic's own words.
pub(crate) const PANICKED: &str = "the kernel panicked: ";

/// Whether an event tells of an end that the watch could not tell itself: what it held then is lost.
pub(crate) fn cuts_off(coverage: &Coverage) -> bool {
    let told = coverage.reason != UNCLEAN && !coverage.reason.starts_with(PANICKED);
    coverage.state == CoverageState::Ended && !told
}

/// Whether the last watch of a boot was cut off, by the boot's coverage in order. A panic after the watch told its end
/// did not cut it off.
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

/// The reason of the gap that every boot begins with.
const BEFORE: &str = "before the watch began";

impl BootCoverage {
    fn interval(&mut self, interval: Interval, to: Stamp, ended: Option<String>) {
        self.intervals.push(Interval {
            to: to.time,
            to_ns: to.boottime_ns,
            ended,
            ..interval
        });
    }

    /// An interval that has no event of its end.
    fn open(&mut self, interval: Interval, now: Now) {
        if now.running {
            return self.interval(interval, now.until, None);
        }
        let from = Stamp {
            time: interval.from,
            boottime_ns: interval.from_ns,
        };
        let end = now.watched.unwrap_or(now.until).max(from);
        self.interval(interval, end, Some(UNCLEAN.to_owned()));
        self.gap(end, now.until, UNCLEAN.to_owned());
    }

    fn gap(&mut self, from: Stamp, to: Stamp, reason: String) {
        if from.is_before(to) {
            self.gaps.push(Gap {
                from: from.time,
                to: to.time,
                from_ns: from.boottime_ns,
                to_ns: to.boottime_ns,
                reason,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coverage(state: &str, second: u32, reason: &str) -> Event {
        serde_json::from_value(serde_json::json!({
            "schema": 1, "id": format!("{second}"), "seq": 1, "kind": "coverage",
            "time": format!("2026-01-01T00:00:{second:02}Z"), "boottime_ns": u64::from(second) * 1_000_000_000,
            "coverage": {"state": state, "reason": reason},
        }))
        .unwrap()
    }

    fn until(second: u32) -> Stamp {
        Stamp {
            time: at(second),
            boottime_ns: Some(u64::from(second) * 1_000_000_000),
        }
    }

    fn at(second: u32) -> Time {
        Time(format!("2026-01-01T00:00:{second:02}Z").parse().unwrap())
    }

    #[test]
    fn a_panic_after_the_watch_told_its_end_did_not_cut_it_off() {
        let coverage = |state, reason: &str| Coverage {
            state,
            reason: reason.to_owned(),
            release: None,
            mask: None,
            self_test: None,
            hooks: Vec::new(),
        };
        let began = coverage(CoverageState::Began, "");
        let stopped = coverage(CoverageState::Ended, "stopped by SIGTERM");
        let panicked = coverage(CoverageState::Ended, "the kernel panicked: x");
        let killed = coverage(CoverageState::Ended, UNCLEAN);
        for (ends, cut_off) in [
            (&[][..], true),
            (&[&stopped], false),
            (&[&stopped, &panicked], false),
            (&[&panicked], true),
            (&[&killed], true),
            (&[&killed, &began, &stopped], false),
            (&[&stopped, &began], true),
        ] {
            let all = std::iter::once(&began).chain(ends.iter().copied());
            assert_eq!(was_cut_off(all), cut_off, "{ends:?}");
        }
    }

    #[test]
    fn gaps_lie_before_between_and_after() {
        let events = [
            coverage("began", 5, "all"),
            coverage("degraded", 10, "no watch"),
            coverage("ended", 20, "stopped"),
            coverage("began", 30, "all"),
            coverage("ended", 40, "stopped again"),
        ];
        let cover = of(
            events.iter(),
            Now {
                until: until(50),
                running: false,
                watched: None,
            },
        );
        let spans: Vec<_> = cover
            .intervals
            .iter()
            .map(|it| (it.from, it.to, it.full))
            .collect();
        assert_eq!(
            spans,
            [
                (at(5), at(10), true),
                (at(10), at(20), false),
                (at(30), at(40), true)
            ]
        );
        let gaps: Vec<_> = cover
            .gaps
            .iter()
            .map(|it| (it.from, it.to, it.reason.as_str()))
            .collect();
        assert_eq!(
            gaps,
            [
                (at(0), at(5), "before the watch began"),
                (at(20), at(30), "stopped"),
                (at(40), at(50), "stopped again"),
            ]
        );
    }

    #[test]
    fn an_interval_without_an_end_goes_on_or_ended_without_a_word() {
        let events = [coverage("began", 5, "all")];
        let running = of(
            events.iter(),
            Now {
                until: until(9),
                running: true,
                watched: None,
            },
        );
        assert_eq!(running.intervals[0].ended, None);
        let killed = of(
            events.iter(),
            Now {
                until: until(9),
                running: false,
                watched: None,
            },
        );
        assert_eq!(killed.intervals[0].ended.as_deref(), Some(UNCLEAN));
        let known = Now {
            until: until(9),
            running: false,
            watched: Some(until(7)),
        };
        let known = of(events.iter(), known);
        assert_eq!(known.intervals[0].to, at(7));
        let gap = known.gaps.last().unwrap();
        assert_eq!((gap.from, gap.to), (at(7), at(9)), "nobody watched");
        assert_eq!(
            of(
                [].iter(),
                Now {
                    until: until(9),
                    running: false,
                    watched: None,
                }
            ),
            BootCoverage::default()
        );
    }

    #[test]
    fn a_clock_that_was_set_back_hides_no_gap() {
        let mut again = coverage("began", 30, "all");
        again.time = at(2);
        let events = [
            coverage("began", 5, "all"),
            coverage("ended", 20, "stopped"),
            again,
        ];
        let now = Now {
            until: Stamp {
                time: at(9),
                boottime_ns: Some(37_000_000_000),
            },
            running: true,
            watched: None,
        };
        let cover = of(events.iter(), now);
        let gaps: Vec<_> = cover.gaps.iter().map(|it| (it.from_ns, it.to_ns)).collect();
        let second = |number: u64| Some(number * 1_000_000_000);
        assert_eq!(gaps, [(second(0), second(5)), (second(20), second(30))]);
    }
}
