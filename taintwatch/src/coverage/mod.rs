//! Which intervals of a boot were monitored, and the gaps between them.
//!
//! In: the coverage events of one boot, and the last heartbeat of its daemon. Out: intervals and gaps. Pure. Silence
//! proves that nothing happened within an interval that is `full`, and nowhere else.

mod period;
mod unclean;

use serde::Serialize;

use crate::event::{Coverage, CoverageState, Event, Unwatched};
pub use period::{Period, Stamp};
pub use unclean::UNCLEAN;
pub(crate) use unclean::{PANICKED, cuts_off, was_cut_off};

/// An interval that was monitored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Interval {
    #[serde(flatten)]
    pub period: Period,
    /// Every layer was in place.
    pub full: bool,
    /// What was missing, or that nothing was.
    pub how: String,
    /// How it ended; absent while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

/// An interval that was not monitored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    #[serde(flatten)]
    pub period: Period,
    pub reason: String,
}

/// What is known of the end of a boot's last interval.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Gaps are reported up to this time: now, or the last known time of the boot.
    pub until: Stamp,
    /// The recorder runs.
    pub running: bool,
    /// Its last heartbeat, where that is known: after it nothing was monitored.
    pub monitored: Option<Stamp>,
}

/// The coverage of one boot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BootCoverage {
    pub intervals: Vec<Interval>,
    pub gaps: Vec<Gap>,
}

/// The reason of the gap at the start of every boot.
pub const BEFORE: &str = "before monitoring began";

/// How an interval is covered in which no daemon ran.
const ATTACHED: &str =
    "no daemon ran: the eBPF programs stayed attached, and the next one took over";

/// An interval whose end is not reached yet.
struct Open {
    from: Stamp,
    full: bool,
    how: String,
}

/// The coverage of a boot by its events, oldest first.
#[must_use]
pub fn of<'a>(events: impl Iterator<Item = &'a Event>, now: Now) -> BootCoverage {
    let events: Vec<_> = events.collect();
    let mut found = BootCoverage::default();
    let mut open: Option<Open> = None;
    let mut was_full = false;
    // The daemon's own times show best when the boot began; the times of what was found later are computed.
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
            was_full = interval.full;
            if let Some(unwatched) = &coverage.unwatched {
                open = Some(found.split(interval, unwatched, coverage));
                continue;
            }
            end_of_last = Some((at, coverage.reason.clone()));
            found.interval(interval, at, Some(coverage.reason.clone()));
        }
        if coverage.state == CoverageState::Ended {
            continue;
        }
        let full = coverage.state == CoverageState::Began;
        if let Some((end, reason)) = end_of_last.take() {
            let taken_over = coverage
                .attached_since_ns
                .and_then(|since| at.back_to(since));
            // What was attached after the end of the last interval has nothing of the time between.
            let from = taken_over.unwrap_or(at).max(end);
            found.gap(end, from, reason);
            if from.is_before(at) {
                let how = ATTACHED.to_owned();
                let full = full && (was_full || end.is_before(from));
                let ended = Some(coverage.reason.clone());
                found.interval(Open { from, full, how }, at, ended);
            }
        }
        open = Some(Open {
            from: at,
            full,
            how: coverage.reason.clone(),
        });
    }
    if let Some(interval) = open {
        found.close_last(interval, now);
    } else if let Some((end, reason)) = end_of_last {
        found.gap(end, now.until, reason);
    }
    found
}

impl BootCoverage {
    fn interval(&mut self, open: Open, to: Stamp, ended: Option<String>) {
        self.intervals.push(Interval {
            period: Period::new(open.from, to),
            full: open.full,
            how: open.how,
            ended,
        });
    }

    /// An interval in which some CPUs were not watched for a time that was found later; what follows it.
    fn split(&mut self, before: Open, unwatched: &Unwatched, coverage: &Coverage) -> Open {
        let stamp = |time, at| Stamp {
            time,
            boottime_ns: Some(at),
        };
        let from = stamp(unwatched.from, unwatched.from_ns).max(before.from);
        let to = stamp(unwatched.to, unwatched.to_ns).max(from);
        let reason = &coverage.reason;
        if before.from.is_before(from) {
            self.interval(before, from, Some(reason.clone()));
        }
        let part = Open {
            from,
            full: false,
            how: reason.clone(),
        };
        self.interval(part, to, Some("every CPU was watched again".to_owned()));
        Open {
            from: to,
            full: coverage.state == CoverageState::Began,
            how: reason.clone(),
        }
    }

    /// An interval that has no event of its end.
    fn close_last(&mut self, open: Open, now: Now) {
        if now.running {
            return self.interval(open, now.until, None);
        }
        let end = now.monitored.unwrap_or(now.until).max(open.from);
        self.interval(open, end, Some(UNCLEAN.to_owned()));
        self.gap(end, now.until, UNCLEAN.to_owned());
    }

    fn gap(&mut self, from: Stamp, to: Stamp, reason: String) {
        if from.is_before(to) {
            let period = Period::new(from, to);
            self.gaps.push(Gap { period, reason });
        }
    }
}

#[cfg(test)]
mod tests;
