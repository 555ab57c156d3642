//! The pipeline behind the hooks: records in ring order become events.
//!
//! In: the attached hooks. Out: events, among them what was counted without a record, what was dropped, and what the mask
//! itself shows that no record explains.

mod armed;
mod awaited;
mod caught_up;
mod layers;
mod lost;
mod modules;
mod standing;
mod stream;
mod taken_over;
mod wake;

use std::{
    collections::VecDeque,
    io,
    time::{Duration, Instant},
};

use super::{
    completion::Completer,
    error::Error,
    events::{Change, attributor, before, coverage, coverage_at, overwritten_lines},
    tally::Tally,
};
use crate::{
    attribute::{Attributor, addresses::Addresses},
    baseline::Past,
    event::{CoverageState, Event, Hook, Mask},
    kernel::{
        identity::{Identity, boottime_ns},
        kallsyms,
        kmsg::From,
        log_clock, mask,
    },
    probe::{
        Without,
        monitor::{Monitor, trim_heap},
        pins::Pins,
    },
    record::{Record, decode, text},
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
/// What a stop leaves.
const STAYS: &str =
    "the eBPF programs stay attached, and the next daemon takes over what they record";
/// From a change of the mask to its record, at the most.
const SETTLE: Duration = Duration::from_millis(50);

/// The attached hooks, and events that wait to be taken.
pub struct Hooked {
    layers: Layers,
    stream: Stream,
    attributor: Attributor,
    tally: Tally,
    lost: LostRecords,
    completer: Completer,
    awaited: Awaited,
    next: VecDeque<Event>,
    last_record: Instant,
    last_check: Instant,
    /// Whether the history has all events that were handed out.
    is_recorded: bool,
    /// Records given back to the kernel meanwhile.
    unrecorded: u64,
}

impl Hooked {
    pub(super) fn start(
        identity: Identity,
        without: &Without,
        pins: Option<&Pins>,
    ) -> Result<Self, Error> {
        let mut monitor = Monitor::start(without, pins)?;
        let taken = || Error::Ring(io::Error::other("it is in use already"));
        let mut stream = Stream::new(monitor.take_ring().ok_or_else(taken)?);
        // Early: events of the next steps have their lines and devices too. What waits in the ring has older lines.
        let from = match monitor.adopted_since_ns {
            Some(_) => From::Oldest,
            None => From::Now,
        };
        let completer = Completer::begin(from);
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
        if monitor.adopted_since_ns.is_some() {
            let (_, freed) = stream.look_further();
            attributor.epoch = monitor.counts.epoch()?.saturating_sub(freed);
        }
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
            completer,
            next: VecDeque::from([began]),
            last_record: Instant::now(),
            last_check: Instant::now(),
            is_recorded: true,
            unrecorded: 0,
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
        if let Some(attached_ns) = self.layers.monitor.adopted_since_ns {
            past.cover(attached_ns..boottime_ns());
        }
        let events = before(self.next.front(), &self.attributor, &past, last);
        let rest = self.next.split_off(1.min(self.next.len()));
        self.next.extend(events.into_iter().chain(rest));
    }

    pub(super) async fn next(&mut self) -> Result<Event, Error> {
        self.give_back();
        loop {
            if let Some(event) = self.next.pop_front() {
                return Ok(event);
            }
            let busy = self.last_record.elapsed() < BUSY_FOR;
            let pace = if busy { BUSY } else { IDLE };
            let record = tokio::select! {
                record = self.stream.next(pace) => record.map_err(Error::Ring)?,
                () = self.layers.woken() => {
                    self.follow_cpus();
                    None
                }
            };
            if let Some(bytes) = record {
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

    pub(super) fn completer(&self) -> Completer {
        self.completer.clone()
    }

    /// The last check: what can no longer be read is in no event, and the coverage ends all the same.
    pub(super) fn end(mut self, reason: &str) -> Vec<Event> {
        // A record may be on its way.
        std::thread::sleep(SETTLE);
        // What happens from here on may be in no event.
        let until_ns = boottime_ns();
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
            reason: if self.outlives_process() {
                format!("{reason}; {STAYS}")
            } else {
                reason.to_owned()
            },
            hooks: self.hooks().to_vec(),
            self_test: None,
            attached_since_ns: None,
            unwatched: None,
        };
        let ended = coverage_at(&self.attributor, ended, until_ns);
        let mut events: Vec<_> = std::mem::take(&mut self.next).into();
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
            self.completer.add_to(&mut event, &hints);
            modules::mark_hidden(&mut event, &mut self.stream, monitor);
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
        self.completer.catch_up();
        let mask = self.attributor.mask;
        let counted = self.counted(mask, false)?;
        self.next.extend(counted);
        self.count_lost()?;
        for change in self.layers.check()? {
            self.next.push_back(coverage(&self.attributor, change));
        }
        Ok(())
    }

    /// A CPU came or went, or the machine woke up.
    fn follow_cpus(&mut self) {
        for change in self.layers.follow() {
            self.next.push_back(coverage(&self.attributor, change));
        }
    }

    fn count_lost(&mut self) -> Result<(), Error> {
        let counts = &self.layers.monitor.counts;
        let overwritten = self.completer.take_overwritten();
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
