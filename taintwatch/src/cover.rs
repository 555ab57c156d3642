//! Which intervals of a boot were watched, and which were not.
//!
//! In: the coverage events of one boot, and the last sign of life of the watch. Out: intervals and the holes
//! between them. Pure. Silence proves that nothing happened within an interval that is `full`, and nowhere else.

use jiff::SignedDuration;
use serde::Serialize;

use crate::event::{CoverageState, Event, Time};

/// An interval that was watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Interval {
    pub from: Time,
    pub to: Time,
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
pub struct Hole {
    pub from: Time,
    pub to: Time,
    pub reason: String,
}

/// What is known of the end of a boot's last interval.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The moment up to which there are holes to tell: now, or the last sign of the boot.
    pub until: Time,
    /// The recorder runs.
    pub running: bool,
}

/// The cover of one boot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cover {
    pub intervals: Vec<Interval>,
    pub holes: Vec<Hole>,
}

/// The cover of the boot that these events are of, oldest first.
#[must_use]
pub fn of<'a>(events: impl Iterator<Item = &'a Event>, now: Now) -> Cover {
    let mut cover = Cover::default();
    let mut open: Option<Interval> = None;
    let mut end_of_last: Option<(Time, String)> = None;
    for event in events {
        if end_of_last.is_none() && open.is_none() {
            end_of_last = boot_time(event).map(|boot| (boot, "before the watch began".to_owned()));
        }
        let Some(coverage) = &event.coverage else {
            continue;
        };
        if let Some(mut interval) = open.take() {
            interval.to = event.time;
            interval.ended = Some(coverage.reason.clone());
            end_of_last = Some((event.time, coverage.reason.clone()));
            cover.intervals.push(interval);
        }
        if coverage.state == CoverageState::Ended {
            continue;
        }
        if let Some((end, reason)) = end_of_last.take() {
            cover.hole(end, event.time, reason);
        }
        open = Some(Interval {
            from: event.time,
            to: event.time,
            full: coverage.state == CoverageState::Began,
            how: coverage.reason.clone(),
            ended: None,
        });
    }
    match (open, now.running) {
        (Some(mut interval), running) => {
            interval.to = now.until;
            interval.ended = (!running).then(|| UNCLEAN.to_owned());
            cover.intervals.push(interval);
        }
        (None, _) => {
            if let Some((end, reason)) = end_of_last {
                cover.hole(end, now.until, reason);
            }
        }
    }
    cover
}

/// Why an interval ended that has no event of its end.
pub const UNCLEAN: &str = "the watch ended without a word: it was killed, or the machine went down";

impl Cover {
    fn hole(&mut self, from: Time, to: Time, reason: String) {
        if from < to {
            self.holes.push(Hole { from, to, reason });
        }
    }
}

/// When the event's boot began.
fn boot_time(event: &Event) -> Option<Time> {
    let since = SignedDuration::try_from(std::time::Duration::from_nanos(event.boottime_ns?));
    event.time.0.checked_sub(since.ok()?).ok().map(Time)
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

    fn at(second: u32) -> Time {
        Time(format!("2026-01-01T00:00:{second:02}Z").parse().unwrap())
    }

    #[test]
    fn holes_lie_before_between_and_after() {
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
                until: at(50),
                running: false,
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
        let holes: Vec<_> = cover
            .holes
            .iter()
            .map(|it| (it.from, it.to, it.reason.as_str()))
            .collect();
        assert_eq!(
            holes,
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
                until: at(9),
                running: true,
            },
        );
        assert_eq!(running.intervals[0].ended, None);
        let killed = of(
            events.iter(),
            Now {
                until: at(9),
                running: false,
            },
        );
        assert_eq!(killed.intervals[0].ended.as_deref(), Some(UNCLEAN));
        assert_eq!(
            of(
                [].iter(),
                Now {
                    until: at(9),
                    running: false
                }
            ),
            Cover::default()
        );
    }
}
