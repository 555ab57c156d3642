//! One boot of one machine, as far as many machines are compared.
//!
//! In: its events, in any order. Out: its flags, its kernel, its coverage, and what was lost or cleared.

use std::collections::BTreeMap;

use crate::{
    coverage::{self, BootCoverage, Now, Stamp},
    event::{CoverageState, Event, Kind, Mask, Taint, Time},
    history::{Losses, mark},
    taint::tables::LINUX,
};

/// What is kept of it.
#[derive(Debug)]
pub(super) struct Boot {
    pub(super) host: Option<String>,
    pub(super) id: Option<String>,
    pub(super) release: Option<String>,
    /// The first and the last time that is known.
    pub(super) from: Option<Time>,
    pub(super) to: Option<Time>,
    last: Option<Stamp>,
    flags: BTreeMap<u32, Option<char>>,
    pub(super) events: u64,
    /// Events that pass the filter.
    pub(super) passed: u64,
    /// It is part of what was asked for.
    pub(super) wanted: bool,
    /// Writes past `add_taint` that cleared flags.
    pub(super) cleared: u64,
    pub(super) losses: Losses,
    /// Few: the daemon's starts and ends.
    coverage: Vec<Event>,
}

impl Boot {
    pub(super) fn new(event: &Event) -> Self {
        Self {
            host: event.host.clone(),
            id: event.boot_id.clone(),
            release: None,
            from: None,
            to: None,
            last: None,
            flags: BTreeMap::new(),
            events: 0,
            passed: 0,
            wanted: true,
            cleared: 0,
            losses: Losses::default(),
            coverage: Vec::new(),
        }
    }

    pub(super) fn take(&mut self, event: &Event) {
        self.events += 1;
        if !event.time.is_unknown() {
            let time = event.time;
            self.from = Some(self.from.map_or(time, |from| from.min(time)));
            self.to = Some(self.to.map_or(time, |to| to.max(time)));
        }
        let at = Stamp::of(event);
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
        self.flags_of(event);
        self.losses = self.losses.with(Losses::of(std::iter::once(event)));
        if let Some(coverage) = &event.coverage {
            self.release = coverage.release.clone().or(self.release.take());
            let mut event = event.clone();
            if let Some(coverage) = &mut event.coverage {
                coverage.hooks.clear();
            }
            self.coverage.push(event);
        }
    }

    fn flags_of(&mut self, event: &Event) {
        let began = event.coverage.as_ref().and_then(|coverage| coverage.mask);
        let taint = event.taint.as_ref();
        let masks = taint.map(|taint| [taint.mask_before, taint.mask_after]);
        let masks = masks.into_iter().flatten().chain([began]).flatten();
        let set = taint.into_iter().flat_map(Taint::set);
        let bits = masks.flat_map(Mask::bits).chain(set);
        for bit in bits {
            let known = || LINUX.flag(bit).map(|flag| flag.letter);
            self.flags.entry(bit).or_insert_with(known);
        }
        let Some(taint) = taint else {
            return;
        };
        let own = taint.bit.filter(|_| event.kind == Kind::Taint);
        if let (Some(bit), Some(letter)) = (own, taint.letter) {
            self.flags.insert(bit, Some(letter));
        }
        let clears = taint.bits_cleared.as_ref().is_some_and(|it| !it.is_empty());
        self.cleared += u64::from(clears);
    }

    /// The newest is greatest; events of an unknown boot are of the oldest.
    pub(super) fn age(&self) -> (bool, Option<Time>, Option<&str>) {
        (self.id.is_some(), self.to, self.id.as_deref())
    }

    /// Whether a word names it: `all`, steps back from the newest, or the start of its id.
    pub(super) fn is_meant(&self, word: &str, back: usize) -> bool {
        let plain = |id: &str| id.replace('-', "").to_ascii_lowercase();
        match word.parse::<i64>() {
            _ if word == "all" => true,
            Ok(steps) if steps <= 0 => {
                let steps = usize::try_from(steps.unsigned_abs());
                self.id.is_some() && steps.is_ok_and(|steps| steps == back)
            }
            _ => {
                let start = plain(word);
                let id = self.id.as_deref();
                !start.is_empty() && id.is_some_and(|id| plain(id).starts_with(&start))
            }
        }
    }

    /// Every flag that it had, as letters.
    pub(super) fn marks(&self) -> String {
        let flags = self.flags.iter();
        flags.map(|(bit, letter)| mark(*bit, *letter)).collect()
    }

    pub(super) fn mask(&self) -> Mask {
        let bits = self.flags.keys();
        bits.fold(Mask(0), |mask, bit| mask.with(*bit))
    }

    /// As the report of this boot has it, where no event says that it is over.
    pub(super) fn coverage(&self) -> BootCoverage {
        let mut sorted: Vec<_> = self.coverage.iter().collect();
        sorted.sort_by_key(|event| (event.boottime_ns, event.seq));
        let (Some(until), false) = (self.last, sorted.is_empty()) else {
            return BootCoverage::default();
        };
        let now = Now {
            until,
            running: !is_ended(&sorted),
            monitored: None,
        };
        coverage::of(sorted.into_iter(), now)
    }
}

/// Whether the daemon recorded the end of its monitoring.
fn is_ended(sorted: &[&Event]) -> bool {
    let last = sorted.last().and_then(|event| event.coverage.as_ref());
    last.is_some_and(|coverage| coverage.state == CoverageState::Ended)
}
