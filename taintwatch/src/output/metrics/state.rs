//! What metrics count, from the events of one boot.
//!
//! In: events in their order. Out: numbers, of which there are few whatever happens. Pure.

use std::collections::BTreeMap;

use crate::{
    event::{Class, CoverageState, Event, Kind, Mask, Time},
    history::{self, count},
};

/// What is known so far.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Occurrences by flag and cause.
    pub(super) events: BTreeMap<(String, &'static str), u64>,
    /// When each flag was first set, as far as that is known.
    pub(super) first: BTreeMap<u32, Time>,
    /// Every flag that was set in this boot.
    pub(super) seen: Mask,
    /// Lost records by what they held.
    pub(super) lost: BTreeMap<String, u64>,
    pub(super) coverage: Option<CoverageState>,
    pub(super) gaps: u64,
    pub(super) gap_ns: u64,
    /// Events that wait for the history to be written.
    pub(super) waiting: u64,
    ended_ns: Option<u64>,
}

impl State {
    /// Takes the next event of this boot.
    pub fn see(&mut self, event: &Event) {
        self.taint(event);
        self.coverage(event);
        if let Some(lost) = &event.lost {
            *self.lost.entry(lost.what.clone()).or_default() += lost.count;
        }
    }

    pub fn set_waiting(&mut self, waiting: usize) {
        self.waiting = u64::try_from(waiting).unwrap_or(u64::MAX);
    }

    fn taint(&mut self, event: &Event) {
        let Some(taint) = &event.taint else { return };
        for mask in [taint.mask_before, taint.mask_after].into_iter().flatten() {
            self.seen = Mask(self.seen.0 | mask.0);
        }
        for bit in taint.set() {
            self.seen = self.seen.with(bit);
            if !event.time.is_unknown() {
                let first = self.first.entry(bit).or_insert(event.time);
                *first = (*first).min(event.time);
            }
        }
        let class = event.cause.as_ref().map(|cause| cause.class);
        let class = class.unwrap_or(Class::Unknown).as_str();
        let flag = match (event.kind, taint.bit) {
            (Kind::MaskWrite, _) => "mask".to_owned(),
            (_, Some(bit)) => history::mark(bit, taint.letter),
            (_, None) => "unknown".to_owned(),
        };
        let events = self.events.entry((flag, class)).or_default();
        *events = events.saturating_add(count(event));
    }

    fn coverage(&mut self, event: &Event) {
        let Some(coverage) = &event.coverage else {
            return;
        };
        self.coverage = Some(coverage.state);
        match (coverage.state, event.boottime_ns) {
            (CoverageState::Ended, at) => self.ended_ns = at,
            (_, Some(at)) => {
                if let Some(ended) = self.ended_ns.take() {
                    self.gaps += 1;
                    self.gap_ns = self.gap_ns.saturating_add(at.saturating_sub(ended));
                }
            }
            (_, None) => {}
        }
    }
}
