//! The pipeline behind the hooks: records in ring order become events.
//!
//! In: a running watch. Out: events, among them what was counted and not told, what was lost, and what
//! the mask itself shows that nothing told of.

mod layers;
mod losses;
mod modules;
mod unset;

use std::{
    collections::VecDeque,
    io,
    time::{Duration, Instant},
};

use super::{Error, attributor, before, coverage, cross_check::CrossCheck, log::Log, tally::Tally};
use crate::{
    attribute::{Attributor, addresses::Addresses},
    baseline::Past,
    enrich::Enricher,
    event::{CoverageState, Event, Hook, Mask},
    kernel::{
        identity::{Identity, boottime_ns},
        kallsyms, log_clock, mask,
    },
    probe::{
        Without,
        watch::{Watch, trim_heap},
    },
    record::{Record, decode, text},
    ring::Ring,
};
use losses::Losses;
use unset::Unset;

/// How often the watch is looked after while nothing happens, and for a while after something did.
const IDLE: Duration = Duration::from_secs(10);
const BUSY: Duration = Duration::from_secs(1);
const BUSY_FOR: Duration = Duration::from_mins(1);
/// Records taken between two looks at everything else.
const BATCH: usize = 256;
/// From a change of the mask to its record, at the most.
const SETTLE: Duration = Duration::from_millis(50);

/// A running watch and what it has yet to tell.
pub struct Hooked {
    watch: Watch,
    ring: Ring,
    attributor: Attributor,
    tally: Tally,
    losses: Losses,
    log: Log,
    enricher: Enricher,
    cross_check: CrossCheck,
    unset: Unset,
    /// Records that were taken from the ring early.
    lookahead: VecDeque<Vec<u8>>,
    next: VecDeque<Event>,
    last_record: Instant,
    last_look: Instant,
    mask_address: Option<u64>,
    /// Traps of the mask's watchpoint that were no writes of it, as last seen.
    spurious: u64,
    /// CPUs that are told to be without a watchpoint.
    unwatched: Vec<u32>,
    /// How long the machine has slept in this boot, as last seen.
    suspended_ns: u64,
}

impl Hooked {
    pub(super) fn begin(identity: Identity, without: &Without) -> Result<Self, Error> {
        let mut watch = Watch::begin(without)?;
        let taken = || Error::Ring(io::Error::other("it is in use already"));
        let ring = Ring::new(watch.take_ring().ok_or_else(taken)?).map_err(Error::Ring)?;
        let mut attributor = attributor(identity, watch.mask);
        let symbols = std::mem::take(&mut watch.symbols);
        let mask_address = symbols.address("tainted_mask");
        attributor.sees_mask = mask_address.is_some();
        let mut generated = Vec::new();
        if !watch.resolves_symbols {
            let found = kallsyms::of_module("bpf").unwrap_or_default();
            generated.extend(found.into_iter().map(|(address, _)| address));
        }
        attributor.addresses = Addresses::new(symbols, generated);
        let mut hooked = Self {
            watch,
            ring,
            attributor,
            tally: Tally::default(),
            losses: Losses {
                at_ns: boottime_ns(),
                ..Losses::default()
            },
            cross_check: CrossCheck::default(),
            unset: Unset::default(),
            log: Log::open(),
            enricher: Enricher::begin(),
            lookahead: VecDeque::new(),
            next: VecDeque::new(),
            last_record: Instant::now(),
            last_look: Instant::now(),
            mask_address,
            spurious: 0,
            unwatched: Vec::new(),
            suspended_ns: log_clock::suspended_ns(),
        };
        if !hooked.watch.resolves_symbols {
            hooked.know_loaded_modules();
        }
        let began = hooked.began();
        hooked.next.push_back(began);
        hooked.unset.see(hooked.attributor.mask);
        hooked.cross_check = CrossCheck::new(hooked.seen()?);
        trim_heap();
        Ok(hooked)
    }

    pub(super) fn hooks(&self) -> &[Hook] {
        &self.watch.hooks
    }

    /// What happened while the hooks were put in place is told by the hooks, and known here.
    pub(super) fn explain_before(&mut self, mut past: Past, last: usize) {
        while let Some(bytes) = self.pull() {
            self.take(&bytes);
        }
        past.saw(self.next.make_contiguous());
        let events = before(self.next.front(), &self.attributor, &past, last);
        let rest = self.next.split_off(1.min(self.next.len()));
        self.next.extend(events.into_iter().chain(rest));
    }

    pub(super) async fn next(&mut self) -> Result<Event, Error> {
        loop {
            if let Some(event) = self.next.pop_front() {
                return Ok(event);
            }
            let busy = self.last_record.elapsed() < BUSY_FOR;
            let pace = if busy { BUSY } else { IDLE };
            // What was taken early comes before anything that the ring has.
            if !self.lookahead.is_empty() {
                self.drain();
            } else if let Ok(bytes) = tokio::time::timeout(pace, self.ring.next()).await {
                self.take(&bytes.map_err(Error::Ring)?);
                self.drain();
            }
            self.reconcile().await?;
            if self.last_look.elapsed() >= BUSY {
                self.last_look = Instant::now();
                self.look()?;
            }
        }
    }

    /// The last look: what cannot be had any more is in no event, and the end of the cover is told all the same.
    pub(super) fn end(mut self, reason: &str) -> Vec<Event> {
        // A record may be on its way.
        std::thread::sleep(SETTLE);
        while let Some(bytes) = self.pull() {
            self.take(&bytes);
        }
        let mask = mask::read().unwrap_or(self.attributor.mask);
        match self.counted(mask, true) {
            Ok(events) => self.next.extend(events),
            Err(error) => log::warn!("the counts at the end: {error}"),
        }
        self.settle(mask, mask);
        if let Err(error) = self.count_losses() {
            log::warn!("the losses at the end: {error}");
        }
        let ended = self.coverage(CoverageState::Ended, reason.to_owned());
        self.next.into_iter().chain([ended]).collect()
    }

    fn pull(&mut self) -> Option<Vec<u8>> {
        self.lookahead.pop_front().or_else(|| self.ring.try_next())
    }

    fn drain(&mut self) {
        for _ in 0..BATCH {
            let Some(bytes) = self.pull() else {
                return;
            };
            self.take(&bytes);
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.last_record = Instant::now();
        let record = match decode(bytes) {
            Ok(record) => record,
            Err(error) => {
                let event = self.lost(1, "event", format!("a record could not be read: {error}"));
                self.next.push_back(event);
                return;
            }
        };
        let (events, hints) = self.attributor.events(&record);
        if let (Record::ModuleComing(live), false) = (&record, self.watch.resolves_symbols) {
            self.name_functions(&text(&live.name));
        }
        for mut event in events {
            self.enricher.add_to(&mut event, &hints);
            self.mark_hidden(&mut event);
            self.log.add_to(&mut event);
            self.next.push_back(event);
        }
    }

    /// Holds the mask against the events; a difference that stays is an event.
    async fn reconcile(&mut self) -> Result<(), Error> {
        let now = mask::read()?;
        if now == self.attributor.mask {
            self.unset.see(now);
            return Ok(());
        }
        tokio::time::sleep(SETTLE).await;
        while let Some(bytes) = self.pull() {
            self.take(&bytes);
        }
        let later = mask::read()?;
        let counted = self.counted(later, true)?;
        self.next.extend(counted);
        self.settle(now, later);
        Ok(())
    }

    /// Tells what two looks at the mask agree on, and no event explains.
    fn settle(&mut self, now: Mask, later: Mask) {
        // A bit that changed within the moment is still on its way.
        let moving = Mask(now.0 ^ later.0);
        let known = self.attributor.mask;
        let waits = self.unset.waits(known, later);
        let open = moving.0 | waits.0;
        let settled = Mask(later.0 & !open | known.0 & open);
        if settled != known {
            let events = self.attributor.reconciled(settled, boottime_ns());
            self.next.extend(events);
        }
    }

    /// What has to be looked after now and then.
    fn look(&mut self) -> Result<(), Error> {
        log_clock::measure();
        self.log.catch_up();
        self.enricher.catch_up();
        let mask = self.attributor.mask;
        let counted = self.counted(mask, false)?;
        self.next.extend(counted);
        self.count_losses()?;
        self.compare_layers()?;
        self.count_spurious()?;
        self.follow_cpus();
        self.arm_after_suspend();
        Ok(())
    }

    fn counted(&mut self, mask: Mask, all: bool) -> Result<Vec<Event>, Error> {
        let at = (boottime_ns(), mask);
        Ok(self
            .tally
            .events(&mut self.watch.counts, &mut self.attributor, at, all)?)
    }

    fn coverage(&self, state: CoverageState, reason: String) -> Event {
        coverage(&self.attributor, state, reason, &self.watch.hooks)
    }
}
