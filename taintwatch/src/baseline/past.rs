//! What the history of this boot knows already, so that nothing is told twice.
//!
//! In: this boot's events. Out: flags, modules with flags, and the intervals in which a watch saw what happened.

use std::{collections::HashSet, ops::Range};

use crate::event::{CoverageState, Event, Mask};

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
    /// Of this boot's events, in the order of the store.
    #[must_use]
    pub fn of(events: &[Event]) -> Self {
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
