//! What the history of this boot knows already, so that nothing is told twice.
//!
//! In: this boot's events. Out: flags, modules with flags, and the intervals in which a watch saw what happened.

use std::{collections::HashSet, ops::Range};

use crate::{
    coverage,
    event::{Confidence, CoverageState, Event, Mask},
};

/// A watch that is cut off loses what it saw for at most so long: it tells of repeats every ten seconds, and joins an
/// event with its lines of the log before that is recorded.
const UNSETTLED_NS: u64 = 15_000_000_000;
/// The log's clock and `CLOCK_BOOTTIME` tell times of one moment that are no further apart, without a suspend between.
const NEAR_NS: u64 = 1_000_000_000;

/// What is known of this boot.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Flags that an event explains.
    pub(super) bits: Mask,
    /// Flags that an event tells to be cleared.
    pub(super) cleared: Mask,
    modules: HashSet<(String, u32)>,
    /// On `CLOCK_BOOTTIME`, oldest first.
    covered: Vec<Range<u64>>,
    /// Recorded when a watch was about to be cut off: what its last moments had beside these is lost.
    last: Vec<Recorded>,
}

/// A flag that the history tells of.
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
    /// Of a boot's events, in the order of the store; a watch that has not told its end ended at `last_ns`.
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

    /// A watch was cut off: what it recorded last is known, and the time until which it recorded all is given.
    fn cut_off(&mut self, events: &[Event], at: u64) -> u64 {
        let settled = at.saturating_sub(UNSETTLED_NS);
        let recorded = events.iter().filter_map(Recorded::of);
        let lately = settled.saturating_sub(UNSETTLED_NS)..=at.saturating_add(NEAR_NS);
        self.last
            .extend(recorded.filter(|recorded| lately.contains(&recorded.at)));
        settled
    }

    /// Adds what a watch saw before it said that it began: the log tells of that, too.
    pub fn saw(&mut self, events: &[Event]) {
        self.learn(events);
        self.last.extend(events.iter().filter_map(Recorded::of));
    }

    /// Adds what events tell.
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

    /// Whether an event that a log gave tells something new. To be asked once an event: of two that the log tells, what
    /// is recorded once is one.
    pub(crate) fn is_new(&mut self, event: &Event) -> bool {
        let bit = event.bit();
        let module = event.module_name();
        let confidence = event.cause.as_ref().map(|cause| cause.confidence);
        let known = bit.is_some_and(|bit| match confidence {
            // A state that the kernel printed tells nothing new of a flag whose cause is known.
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

    /// Whether an event tells of this flag of this module.
    pub(super) fn has_recorded(&self, module: &str, bit: u32) -> bool {
        self.modules.contains(&(module.to_owned(), bit))
    }

    /// Whether a watch saw what happened then.
    pub(super) fn covers(&self, boottime_ns: u64) -> bool {
        self.covered
            .iter()
            .any(|range| range.contains(&boottime_ns))
    }
}
