//! The pipeline behind the hooks: records in ring order become events.
//!
//! In: a running watch. Out: events, among them what was counted and not told, what was lost, and what
//! the mask itself shows that nothing told of.

use std::{
    collections::VecDeque,
    io,
    time::{Duration, Instant},
};

use taintwatch_common::{counter, kind};

use super::{
    Error,
    agreement::{Agreement, Seen, Silent},
    attributor, before, coverage,
    log::Log,
    tally::Tally,
};
use crate::{
    attribute::{Attributor, addresses::Addresses},
    baseline::Past,
    decode::{Record, decode, text},
    enrich::{self, Enricher},
    event::{Class, CoverageState, Event, Hook, Kind, Lost, Mask},
    kernel::{
        identity::{Identity, boottime_ns},
        kallsyms, mask,
    },
    probe::{
        Without,
        watch::{MASK_WATCH, Watch, give_back, online_cpus},
    },
    ring::Ring,
};

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
    agreement: Agreement,
    /// Records that were taken from the ring early.
    ahead: VecDeque<Vec<u8>>,
    next: VecDeque<Event>,
    last_record: Instant,
    last_look: Instant,
    mask_address: Option<u64>,
}

/// What was lost, as last seen.
#[derive(Default)]
struct Losses {
    lost: [u64; kind::END as usize],
    at_ns: u64,
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
            agreement: Agreement::default(),
            log: Log::open(),
            enricher: Enricher::begin(),
            ahead: VecDeque::new(),
            next: VecDeque::new(),
            last_record: Instant::now(),
            last_look: Instant::now(),
            mask_address,
        };
        if !hooked.watch.resolves_symbols {
            hooked.know_loaded_modules();
        }
        let began = hooked.began();
        hooked.next.push_back(began);
        hooked.agreement = Agreement::new(hooked.seen()?);
        give_back();
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
        past.learn(self.next.make_contiguous());
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
            if let Ok(bytes) = tokio::time::timeout(pace, self.ring.next()).await {
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

    pub(super) fn end(mut self, reason: &str) -> Vec<Event> {
        while let Some(bytes) = self.pull() {
            self.take(&bytes);
        }
        let mask = mask::read().unwrap_or(self.attributor.mask);
        if let Ok(events) = self.counted(mask, true) {
            self.next.extend(events);
        }
        let ended = self.coverage(CoverageState::Ended, reason.to_owned());
        self.next.into_iter().chain([ended]).collect()
    }

    fn pull(&mut self) -> Option<Vec<u8>> {
        self.ahead.pop_front().or_else(|| self.ring.try_next())
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
        if let (Record::ModuleLive(live), false) = (&record, self.watch.resolves_symbols) {
            self.name_functions(&text(&live.name));
        }
        for mut event in events {
            self.enricher.add_to(&mut event, &hints);
            self.mark_hidden(&mut event);
            self.log.add_to(&mut event);
            self.next.push_back(event);
        }
    }

    /// Functions of a module, unless it is gone by the time they are read.
    fn name_functions(&mut self, module: &str) {
        let symbols = kallsyms::of_module(module).unwrap_or_default();
        if !self.goes(module) {
            self.attributor.addresses.name(module, &symbols);
        }
    }

    fn know_loaded_modules(&mut self) {
        for (name, range) in enrich::modules::loaded_modules() {
            self.attributor.addresses.add(&name, range, None);
            self.name_functions(&name);
        }
    }

    /// Whether a record that is waiting says that the module went.
    fn goes(&mut self, module: &str) -> bool {
        while let Some(bytes) = self.ring.try_next() {
            self.ahead.push_back(bytes);
        }
        self.ahead.iter().any(|bytes| {
            matches!(decode(bytes), Ok(Record::ModuleFree(free)) if text(&free.name) == module)
        })
    }

    /// Code that runs, of a module that is in no list and has not gone.
    fn mark_hidden(&mut self, event: &mut Event) {
        let class = event.cause.as_ref().map(|cause| cause.class);
        if !matches!(class, Some(Class::ModuleCode | Class::DirectWrite)) {
            return;
        }
        let name = event.module.as_ref().and_then(|module| module.name.clone());
        let Some(name) = name.filter(|name| enrich::modules::is_listed(name) == Some(false)) else {
            return;
        };
        if !self.goes(&name)
            && let Some(module) = &mut event.module
        {
            module.hidden = Some(true);
            if let Some(cause) = &mut event.cause {
                cause.summary = format!("{} (a hidden module: no list has it)", cause.summary);
            }
        }
    }

    /// Holds the mask against the events; a difference that stays is an event.
    async fn reconcile(&mut self) -> Result<(), Error> {
        let now = mask::read()?;
        if now == self.attributor.mask {
            return Ok(());
        }
        tokio::time::sleep(SETTLE).await;
        while let Some(bytes) = self.pull() {
            self.take(&bytes);
        }
        let later = mask::read()?;
        let counted = self.counted(later, true)?;
        self.next.extend(counted);
        // A bit that changed within the moment is still on its way.
        let moving = now.0 ^ later.0;
        let settled = Mask(later.0 & !moving | self.attributor.mask.0 & moving);
        if settled != self.attributor.mask {
            let events = self.attributor.reconciled(settled, boottime_ns());
            self.next.extend(events);
        }
        Ok(())
    }

    /// What has to be looked after now and then.
    fn look(&mut self) -> Result<(), Error> {
        self.log.catch_up();
        self.enricher.catch_up();
        let mask = self.attributor.mask;
        let counted = self.counted(mask, false)?;
        self.next.extend(counted);
        self.count_losses()?;
        self.compare_layers()?;
        self.follow_cpus();
        Ok(())
    }

    fn counted(&mut self, mask: Mask, all: bool) -> Result<Vec<Event>, Error> {
        let at = (boottime_ns(), mask);
        Ok(self
            .tally
            .events(&mut self.watch.counts, &mut self.attributor, at, all)?)
    }

    fn count_losses(&mut self) -> Result<(), Error> {
        let lost = self.watch.counts.lost()?;
        let before = std::mem::replace(&mut self.losses.lost, lost);
        for (kind, (lost, before)) in (0..).zip(lost.into_iter().zip(before)) {
            let more = lost.saturating_sub(before);
            if more > 0 {
                let event = self.lost(more, what(kind), "the ring buffer was full".to_owned());
                self.next.push_back(event);
            }
        }
        self.losses.at_ns = boottime_ns();
        Ok(())
    }

    fn seen(&self) -> Result<Seen, Error> {
        let counter = |index| self.watch.counts.per_cpu(index);
        Ok(Seen {
            entries: counter(counter::ENTRIES)?,
            explained: counter(counter::EXPLAINED)?,
            unexplained: counter(counter::UNEXPLAINED)?,
        })
    }

    /// A hook that was detached or replaced shows in what the other layer sees.
    fn compare_layers(&mut self) -> Result<(), Error> {
        let has = |layer: &str| {
            self.hooks()
                .iter()
                .any(|hook| hook.layer == layer && hook.mechanism.is_some())
        };
        if !(has(MASK_WATCH) && has("taint_entry")) {
            return Ok(());
        }
        let seen = self.seen()?;
        match self.agreement.look(seen) {
            None => {}
            Some(Silent::Entry) => self.degrade(
                "taint_entry",
                "the watch saw add_taint write and the hook on it saw no call: somebody took it away",
            ),
            Some(Silent::Watch(cpu)) => {
                let reason = format!(
                    "the watchpoint on CPU {cpu} did not see writes that the hook on add_taint announced: \
                     somebody switched it off"
                );
                self.degrade(MASK_WATCH, &reason);
                self.arm_again();
            }
        }
        Ok(())
    }

    /// Sets every watchpoint anew, and proves it.
    fn arm_again(&mut self) {
        let Some(address) = self.mask_address else {
            return;
        };
        let Ok(online) = online_cpus() else {
            return;
        };
        self.watch.follow_cpus(&[], address);
        let failed = self.watch.follow_cpus(&online, address);
        if failed.is_empty() && self.watch.prove().is_ok() {
            for hook in self
                .watch
                .hooks
                .iter_mut()
                .filter(|hook| hook.layer == MASK_WATCH)
            {
                hook.mechanism = Some("breakpoint".to_owned());
            }
            let event = self.coverage(
                CoverageState::Began,
                "the mask watch was armed again".to_owned(),
            );
            self.next.push_back(event);
        }
    }

    fn degrade(&mut self, layer: &str, reason: &str) {
        for hook in self
            .watch
            .hooks
            .iter_mut()
            .filter(|hook| hook.layer == layer)
        {
            hook.mechanism = None;
            hook.reason = Some(reason.to_owned());
        }
        let event = self.coverage(
            CoverageState::Degraded,
            format!("{layer} is silent: {reason}"),
        );
        self.next.push_back(event);
    }

    /// CPUs come and go; one without a watchpoint is a hole.
    fn follow_cpus(&mut self) {
        let watched: Vec<_> = self.watch.watched_cpus().collect();
        let (Some(address), Ok(online)) = (self.mask_address, online_cpus()) else {
            return;
        };
        if watched.is_empty() || watched == online {
            return;
        }
        for (cpu, why) in self.watch.follow_cpus(&online, address) {
            self.degrade(
                MASK_WATCH,
                &format!("CPU {cpu} came and cannot be watched: {why}"),
            );
        }
    }

    fn began(&mut self) -> Event {
        let watched = self.watch.watched_cpus().next().is_some();
        let self_test = watched.then(|| self.watch.prove());
        let mut gaps = Vec::new();
        let hooks = &self.watch.hooks;
        let missing = hooks.iter().filter(|hook| hook.mechanism.is_none());
        let names: Vec<_> = missing.map(|hook| hook.layer.as_str()).collect();
        if !names.is_empty() {
            gaps.push(format!("without {}", names.join(", ")));
        }
        if let Some(Err(why)) = &self_test {
            gaps.push(format!("the mask watch is unproven: {why}"));
        }
        gaps.extend(self.watch.prove_hooks().err());
        let (state, reason) = if gaps.is_empty() {
            (CoverageState::Began, "every layer is in place".to_owned())
        } else {
            (CoverageState::Degraded, gaps.join("; "))
        };
        let mut event = self.coverage(state, reason);
        if let (Some(coverage), Some(tested)) = (&mut event.coverage, self_test) {
            coverage.self_test = Some(match tested {
                Ok(()) => {
                    "a watchpoint on a variable of this process reached the program on every CPU"
                        .to_owned()
                }
                Err(why) => format!("unproven: {why}"),
            });
        }
        event
    }

    fn coverage(&self, state: CoverageState, reason: String) -> Event {
        let blank = |kind, at, key: &str| self.attributor.blank(kind, at, key);
        coverage(
            blank,
            state,
            reason,
            self.attributor.mask,
            self.watch.hooks.clone(),
        )
    }

    fn lost(&self, count: u64, what: &str, reason: String) -> Event {
        let mut event = self.attributor.blank(Kind::Lost, boottime_ns(), what);
        event.lost = Some(Lost {
            count,
            reason,
            what: what.to_owned(),
            since_ns: Some(self.losses.at_ns),
        });
        event
    }
}

/// What is lost with a record: occurrences of a flag or a write are counted all the same.
fn what(record: u16) -> &'static str {
    match record {
        kind::TAINT_ENTRY | kind::MASK_WRITE => "detail",
        kind::MODULE_LIVE => "module_identity",
        kind::MODULE_FREE => "module_unload",
        kind::LOAD_END => "module_load",
        kind::PROCESS => "process_detail",
        kind::MODULE_FILE => "module_path",
        kind::MODULE_REQUEST => "module_request",
        _ => "sysctl_write",
    }
}
