//! The pipeline behind the hooks: records in ring order become events.
//!
//! In: the attached hooks. Out: events, among them what was counted without a record, what was dropped, and what the mask
//! itself shows that no record explains.

mod awaited;
mod caught_up;
mod layers;
mod lost;
mod modules;
mod standing;
mod stream;

use std::{
    collections::VecDeque,
    io,
    time::{Duration, Instant},
};

use super::{
    error::Error,
    events::{Change, attributor, before, coverage, overwritten_lines},
    log::Log,
    tally::Tally,
};
use crate::{
    attribute::{Attributor, addresses::Addresses, loaded_file},
    baseline::Past,
    enrich::Enricher,
    event::{CoverageState, Event, Hook, Mask},
    kernel::{
        identity::{Identity, boottime_ns},
        kallsyms, log_clock, mask,
    },
    probe::{
        Without,
        monitor::{Monitor, trim_heap},
    },
    record::{Record, decode, text},
    ring::Ring,
};
use awaited::Awaited;
use layers::Layers;
use lost::LostRecords;
use stream::Stream;

/// How often everything beside the ring is checked while nothing happens, and for a while after something did.
const IDLE: Duration = Duration::from_secs(10);
const BUSY: Duration = Duration::from_secs(1);
const BUSY_FOR: Duration = Duration::from_mins(1);
/// Records taken between two checks of everything else.
const BATCH: usize = 256;
/// From a change of the mask to its record, at the most.
const SETTLE: Duration = Duration::from_millis(50);

/// The attached hooks, and events that wait to be taken.
pub struct Hooked {
    layers: Layers,
    stream: Stream,
    attributor: Attributor,
    tally: Tally,
    lost: LostRecords,
    log: Log,
    enricher: Enricher,
    awaited: Awaited,
    next: VecDeque<Event>,
    last_record: Instant,
    last_check: Instant,
}

impl Hooked {
    pub(super) fn start(identity: Identity, without: &Without) -> Result<Self, Error> {
        let mut monitor = Monitor::start(without)?;
        let taken = || Error::Ring(io::Error::other("it is in use already"));
        let ring = Ring::new(monitor.take_ring().ok_or_else(taken)?).map_err(Error::Ring)?;
        let mut stream = Stream::new(ring);
        // Early: events of the next steps have their lines and devices too.
        let (log, enricher) = (Log::open(), Enricher::begin());
        let mut attributor = attributor(identity, monitor.mask);
        let symbols = std::mem::take(&mut monitor.symbols);
        let mask_address = symbols.address("tainted_mask");
        attributor.sees_mask = mask_address.is_some();
        let mut generated = Vec::new();
        if !monitor.resolves_symbols {
            let found = kallsyms::of_module("bpf").unwrap_or_default();
            generated.extend(found.into_iter().map(|(address, _)| address));
        }
        attributor.addresses = Addresses::new(symbols, generated);
        let with_names = !monitor.resolves_symbols;
        modules::add_loaded(&mut stream, &mut attributor.addresses, with_names);
        let mut layers = Layers::new(monitor, mask_address);
        let began = coverage(&attributor, layers.begin()?);
        let mut awaited = Awaited::default();
        awaited.see(attributor.mask);
        let hooked = Self {
            layers,
            stream,
            attributor,
            tally: Tally::default(),
            lost: LostRecords::new(),
            awaited,
            log,
            enricher,
            next: VecDeque::from([began]),
            last_record: Instant::now(),
            last_check: Instant::now(),
        };
        trim_heap();
        Ok(hooked)
    }

    pub(super) fn hooks(&self) -> &[Hook] {
        &self.layers.monitor.hooks
    }

    /// What happened while the hooks were attached has records: they are taken first, and are in the past then.
    pub(super) fn explain_before(&mut self, mut past: Past, last: usize) {
        while let Some(bytes) = self.stream.try_next() {
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
            if let Some(bytes) = self.stream.next(pace).await.map_err(Error::Ring)? {
                self.take(&bytes);
                self.drain();
            }
            self.reconcile().await?;
            if self.last_check.elapsed() >= BUSY {
                self.last_check = Instant::now();
                self.check()?;
            }
        }
    }

    /// Adds what takes time to an event that was handed out. Whether there was something to add.
    pub(super) fn complete(&mut self, event: &mut Event) -> bool {
        let added = self.enricher.complete(event);
        if added {
            loaded_file::explain(event);
        }
        self.log.complete(event) || added
    }

    /// The last check: what can no longer be read is in no event, and the coverage ends all the same.
    pub(super) fn end(mut self, reason: &str) -> Vec<Event> {
        // A record may be on its way.
        std::thread::sleep(SETTLE);
        while let Some(bytes) = self.stream.try_next() {
            self.take(&bytes);
        }
        let mask = mask::read().unwrap_or(self.attributor.mask);
        match self.counted(mask, true) {
            Ok(events) => self.next.extend(events),
            Err(error) => log::warn!("the counts at the end: {error}"),
        }
        self.settle(mask, mask);
        if let Err(error) = self.count_lost() {
            log::warn!("the dropped records at the end: {error}");
        }
        let ended = Change {
            state: CoverageState::Ended,
            reason: reason.to_owned(),
            hooks: self.hooks().to_vec(),
            self_test: None,
        };
        let ended = coverage(&self.attributor, ended);
        let mut events: Vec<_> = std::mem::take(&mut self.next).into();
        for event in &mut events {
            self.complete(event);
        }
        events.push(ended);
        events
    }

    fn drain(&mut self) {
        for _ in 0..BATCH {
            let Some(bytes) = self.stream.try_next() else {
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
                let reason = format!("a record could not be read: {error}");
                let event = self.lost.unreadable(&self.attributor, reason);
                self.next.push_back(event);
                return;
            }
        };
        let monitor = &self.layers.monitor;
        if !monitor.resolves_symbols {
            let addresses = &mut self.attributor.addresses;
            modules::await_coming(&mut self.stream, addresses, &record);
        }
        let (events, hints) = self.attributor.events(&record);
        if let (Record::ModuleComing(live), false) = (&record, monitor.resolves_symbols) {
            let addresses = &mut self.attributor.addresses;
            modules::name_functions(&mut self.stream, addresses, &text(&live.name));
        }
        for mut event in events {
            self.enricher.add_to(&mut event, &hints);
            modules::mark_hidden(&mut event, &mut self.stream, monitor);
            self.log.add_to(&mut event);
            self.next.push_back(event);
        }
    }

    /// Compares the mask with the events; a difference that stays is an event.
    async fn reconcile(&mut self) -> Result<(), Error> {
        let now = mask::read()?;
        if now == self.attributor.mask {
            self.awaited.see(now);
            return Ok(());
        }
        tokio::time::sleep(SETTLE).await;
        while let Some(bytes) = self.stream.try_next() {
            self.take(&bytes);
        }
        let later = mask::read()?;
        let counted = self.counted(later, true)?;
        self.next.extend(counted);
        self.settle(now, later);
        Ok(())
    }

    /// An event for what two reads of the mask agree on, and no event explains.
    fn settle(&mut self, now: Mask, later: Mask) {
        // A bit that changed between the two may have a record on its way.
        let moving = Mask(now.0 ^ later.0);
        let known = self.attributor.mask;
        let awaited = self.awaited.bits(known, later);
        let open = moving.0 | awaited.0;
        let settled = Mask(later.0 & !open | known.0 & open);
        if settled != known {
            let events = self.attributor.reconciled(settled, boottime_ns());
            self.next.extend(events);
        }
    }

    /// What has to be checked now and then.
    fn check(&mut self) -> Result<(), Error> {
        log_clock::measure();
        self.log.catch_up();
        self.enricher.catch_up();
        let mask = self.attributor.mask;
        let counted = self.counted(mask, false)?;
        self.next.extend(counted);
        self.count_lost()?;
        for change in self.layers.check()? {
            self.next.push_back(coverage(&self.attributor, change));
        }
        Ok(())
    }

    fn count_lost(&mut self) -> Result<(), Error> {
        let counts = &self.layers.monitor.counts;
        let overwritten = self.log.take_overwritten();
        let events = self.lost.events(counts, &mut self.attributor)?;
        self.next.extend(events);
        if overwritten > 0 {
            let event = overwritten_lines(&self.attributor, overwritten);
            self.next.push_back(event);
        }
        Ok(())
    }

    fn counted(&mut self, mask: Mask, all: bool) -> Result<Vec<Event>, Error> {
        let at = (boottime_ns(), mask);
        let counts = &mut self.layers.monitor.counts;
        Ok(self.tally.events(counts, &mut self.attributor, at, all)?)
    }
}
