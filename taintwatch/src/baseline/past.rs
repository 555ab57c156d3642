//! What the history of this boot has already, so that nothing is recorded twice.
//!
//! In: this boot's events. Out: flags, modules with flags, and the intervals with coverage.

use std::{collections::HashSet, ops::Range};

use crate::{
    coverage,
    event::{Confidence, CoverageState, Event, Mask},
};

/// A monitor that is killed loses at most so much: it records repeats every ten seconds, and an event once its lines of
/// the log are joined to it.
const UNSETTLED_NS: u64 = 15_000_000_000;
/// Times of one event by the log's clock and by `CLOCK_BOOTTIME` are no further apart, without a suspend between.
const NEAR_NS: u64 = 1_000_000_000;

/// What is known of this boot.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Flags that an event explains.
    pub(super) bits: Mask,
    /// Flags that an event shows to be cleared.
    pub(super) cleared: Mask,
    modules: HashSet<(String, u32)>,
    /// On `CLOCK_BOOTTIME`, oldest first.
    covered: Vec<Range<u64>>,
    /// Recorded shortly before a monitor was killed: what else happened in that time is lost.
    last: Vec<Recorded>,
}

/// A flag that the history has.
#[derive(Clone, Debug)]
struct Recorded {
    bit: u32,
    at: u64,
    /// It stands for more than can be counted off.
    many: bool,
}

impl Recorded {
    fn of(event: &Event) -> Option<Self> {
        let taint = event.taint.as_ref()?;
        Some(Self {
            bit: taint.bit?,
            at: event.boottime_ns?,
            many: taint.count.is_some_and(|count| count > 1),
        })
    }

    /// Whether a log's line of this flag, at this time, can be of this one.
    fn can_be(&self, bit: u32, at: u64) -> bool {
        let apart = if self.many { UNSETTLED_NS } else { NEAR_NS };
        self.bit == bit && self.at.abs_diff(at) <= apart
    }
}

impl Past {
    /// Of a boot's events, in the order of the store; an interval of coverage without an end ended at `last_ns`.
    #[must_use]
    pub fn of(events: &[Event], last_ns: u64) -> Self {
        let mut past = Self::default();
        past.learn(events);
        let mut since = None;
        for event in events {
            let (Some(coverage), Some(at)) = (&event.coverage, event.boottime_ns) else {
                continue;
            };
            if coverage.state != CoverageState::Ended {
                since.get_or_insert(at);
            } else if let Some(since) = since.take() {
                let settled = if coverage::cuts_off(coverage) {
                    past.cut_off(events, at)
                } else {
                    at
                };
                past.covered.push(since..settled);
            }
        }
        if let Some(since) = since {
            let settled = past.cut_off(events, last_ns);
            past.covered.push(since..settled);
        }
        past
    }

    /// A monitor was killed: keeps what it recorded last, and returns the time until which its records are complete.
    fn cut_off(&mut self, events: &[Event], at: u64) -> u64 {
        let settled = at.saturating_sub(UNSETTLED_NS);
        let recorded = events.iter().filter_map(Recorded::of);
        let lately = settled.saturating_sub(UNSETTLED_NS)..=at.saturating_add(NEAR_NS);
        self.last
            .extend(recorded.filter(|recorded| lately.contains(&recorded.at)));
        settled
    }

    /// Adds an interval in which the hooks saw all, though no daemon ran.
    pub fn cover(&mut self, interval: Range<u64>) {
        self.covered.push(interval);
    }

    /// Adds what the hooks saw before coverage began: the log has lines of that, too.
    pub fn saw(&mut self, events: &[Event]) {
        self.learn(events);
        self.last.extend(events.iter().filter_map(Recorded::of));
    }

    /// Adds the flags and modules of events.
    pub fn learn(&mut self, events: &[Event]) {
        for event in events {
            let Some(taint) = &event.taint else {
                continue;
            };
            self.bits = taint.set().fold(self.bits, Mask::with);
            let cleared = taint.bits_cleared.iter().flatten().copied();
            self.cleared = cleared.fold(self.cleared, Mask::with);
            let module = event.module_name().map(str::to_owned);
            self.modules.extend(module.zip(taint.bit));
        }
    }

    /// Whether an event of a log is new. To be called once for each event: of two in the log, what
    /// is recorded once is one.
    pub(crate) fn is_new(&mut self, event: &Event) -> bool {
        let bit = event.bit();
        let module = event.module_name();
        let confidence = event.cause.as_ref().map(|cause| cause.confidence);
        let known = bit.is_some_and(|bit| match confidence {
            // A state that the kernel printed adds nothing to a flag whose cause is known.
            Some(Confidence::Unattributed) => self.bits.has(bit),
            Some(Confidence::Listed) => self.has_recorded(module.unwrap_or_default(), bit),
            _ => false,
        });
        let Some(at) = event.boottime_ns else {
            return !known;
        };
        !known && !self.covers(at) && !bit.is_some_and(|bit| self.matches_last(bit, at))
    }

    /// Whether a line of the last moments is of what was recorded then; the nearest is taken.
    fn matches_last(&mut self, bit: u32, at: u64) -> bool {
        let recorded = self.last.iter().enumerate();
        let nearest = recorded
            .filter(|(_, recorded)| recorded.can_be(bit, at))
            .min_by_key(|(_, recorded)| (recorded.many, recorded.at.abs_diff(at)))
            .map(|(place, recorded)| (place, recorded.many));
        if let Some((place, false)) = nearest {
            self.last.swap_remove(place);
        }
        nearest.is_some()
    }

    /// Whether an event has this flag of this module.
    pub(super) fn has_recorded(&self, module: &str, bit: u32) -> bool {
        self.modules.contains(&(module.to_owned(), bit))
    }

    /// Whether this time was covered.
    pub(super) fn covers(&self, boottime_ns: u64) -> bool {
        self.covered
            .iter()
            .any(|range| range.contains(&boottime_ns))
    }
}
