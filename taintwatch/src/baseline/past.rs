//! What the history of this boot knows already, so that nothing is told twice.
//!
//! In: this boot's events. Out: flags, modules with flags, and the intervals in which a watch saw what happened.

use std::{collections::HashSet, ops::Range};

use crate::event::{Confidence, CoverageState, Event, Mask};

/// What is known of this boot.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Flags that an event explains.
    pub(super) bits: Mask,
    /// Flags that an event tells to be cleared.
    pub(super) cleared: Mask,
    modules: HashSet<(String, u32)>,
    /// On `CLOCK_BOOTTIME`, oldest first.
    watched: Vec<Range<u64>>,
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
            if coverage.state == CoverageState::Ended {
                past.watched.extend(since.take().map(|since| since..at));
            } else {
                since.get_or_insert(at);
            }
        }
        // To the end of that nanosecond: what it saw then is told.
        past.watched
            .extend(since.map(|since| since..last_ns.saturating_add(1)));
        past
    }

    /// Adds what events tell.
    pub fn learn(&mut self, events: &[Event]) {
        for event in events {
            let Some(taint) = &event.taint else {
                continue;
            };
            let bits = taint
                .bit
                .into_iter()
                .chain(taint.bits_set.iter().flatten().copied());
            self.bits = bits.fold(self.bits, Mask::with);
            let cleared = taint.bits_cleared.iter().flatten().copied();
            self.cleared = cleared.fold(self.cleared, Mask::with);
            let module = event.module.as_ref().and_then(|module| module.name.clone());
            self.modules.extend(module.zip(taint.bit));
        }
    }

    /// Whether an event that a log gave tells something new.
    pub(crate) fn is_news(&self, event: &Event) -> bool {
        let bit = event.taint.as_ref().and_then(|taint| taint.bit);
        let module = event
            .module
            .as_ref()
            .and_then(|module| module.name.as_deref());
        let confidence = event.cause.as_ref().map(|cause| cause.confidence);
        let known = bit.is_some_and(|bit| match confidence {
            // A state that the kernel printed tells nothing new of a flag whose cause is known.
            Some(Confidence::Unattributed) => self.bits.has(bit),
            Some(Confidence::Listed) => self.tells(module.unwrap_or_default(), bit),
            _ => false,
        });
        !known && event.boottime_ns.is_none_or(|at| !self.watched_at(at))
    }

    /// Whether an event tells of this flag of this module.
    pub(super) fn tells(&self, module: &str, bit: u32) -> bool {
        self.modules.contains(&(module.to_owned(), bit))
    }

    /// Whether a watch saw what happened then.
    pub(super) fn watched_at(&self, boottime_ns: u64) -> bool {
        self.watched
            .iter()
            .any(|range| range.contains(&boottime_ns))
    }
}
