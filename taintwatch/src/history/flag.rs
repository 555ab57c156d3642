//! The flags of a boot, by its events.
//!
//! In: the boot's events in order. Out: a flag each, lowest bit first, with the event that set it and everything
//! that set it again. A flag that only a mask shows is there too, without a cause.

use std::collections::{BTreeMap, HashMap};

use crate::{
    event::{Class, Confidence, Event, Kind, Mask},
    store::Omitted,
    taint::tables::Table,
};

/// A flag in one boot.
#[derive(Debug)]
pub struct Flag<'a> {
    pub bit: u32,
    pub letter: Option<char>,
    pub name: Option<&'a str>,
    /// What happened when it is set, in the words of the flag's vendor.
    pub meaning: Option<&'static str>,
    /// What set it first; absent when it was set already before anything was recorded, or when only a mask shows it.
    pub first: Option<&'a Event>,
    pub confidence: Confidence,
    /// Occurrences, as far as recorded.
    pub count: u64,
    /// Every event that set it, in order.
    pub events: Vec<&'a Event>,
    /// What set it, each once, in order.
    pub reasons: Vec<Reason<'a>>,
    /// What cleared it: only a write past the kernel's functions does.
    pub cleared: Vec<&'a Event>,
}

/// One cause of a flag, however often.
#[derive(Debug)]
pub struct Reason<'a> {
    pub class: Option<Class>,
    pub module: Option<&'a str>,
    /// The function that acted, without the offset.
    pub function: Option<&'a str>,
    pub first: &'a Event,
    pub last: &'a Event,
    pub count: u64,
}

impl Flag<'_> {
    /// The time of the first setting is known, and not only the time at which the flag was found set.
    #[must_use]
    pub fn is_timed(&self) -> bool {
        self.confidence <= Confidence::Logged
    }

    /// The letter, or the bit where no letter is known.
    #[must_use]
    pub fn mark(&self) -> String {
        mark(self.bit, self.letter)
    }
}

/// A flag's letter, or its bit where no letter is known.
#[must_use]
pub fn mark(bit: u32, letter: Option<char>) -> String {
    letter.map_or_else(|| format!("[{bit}]"), String::from)
}

/// The class of a cause, the module, and the function.
pub type Key<'a> = (Option<Class>, Option<&'a str>, Option<&'a str>);

/// What makes two causes the same. The task is no part of it: pids always differ.
pub(super) fn key(event: &Event) -> Key<'_> {
    let class = event.cause.as_ref().map(|cause| cause.class);
    let module = event.module.as_ref();
    let module = module.and_then(|module| module.name.as_deref());
    let caller = event.caller.as_deref().unwrap_or_default();
    let function = caller.split('+').next().filter(|name| !name.is_empty());
    // The loader acts from one place for all modules.
    let function = function.filter(|_| class != Some(Class::ModuleLoad));
    (class, module, function)
}

/// How many occurrences an event stands for.
#[must_use]
pub fn count(event: &Event) -> u64 {
    event.occurrences()
}

/// `kernel`: what its bits mean where only a mask shows them.
pub(super) fn of<'a>(events: &[&'a Event], omitted: &Omitted, kernel: &Table) -> Vec<Flag<'a>> {
    let mut found: BTreeMap<u32, Flag<'a>> = BTreeMap::new();
    for bit in seen(events).bits() {
        found.insert(bit, Flag::new(bit, kernel));
    }
    // Where the reasons of each flag are, by their key.
    let mut places: HashMap<u32, HashMap<Key<'a>, usize>> = HashMap::new();
    for event in events {
        let Some(taint) = &event.taint else {
            continue;
        };
        let written = taint.bits_set.iter().flatten().copied();
        let own = taint.bit.filter(|_| event.kind == Kind::Taint);
        for bit in own.into_iter().chain(written) {
            found
                .entry(bit)
                .or_insert_with(|| Flag::new(bit, kernel))
                .set(
                    event,
                    count(event).saturating_add(omitted.occurrences(event)),
                    places.entry(bit).or_default(),
                );
        }
        for bit in taint.bits_cleared.iter().flatten() {
            let flag = found.entry(*bit).or_insert_with(|| Flag::new(*bit, kernel));
            flag.cleared.push(event);
        }
    }
    found.into_values().collect()
}

/// Every flag that any mask in the events shows.
fn seen(events: &[&Event]) -> Mask {
    let taints = events.iter().filter_map(|event| event.taint.as_ref());
    let masks = taints.flat_map(|taint| [taint.mask_before, taint.mask_after]);
    let began = events.iter().map(|event| event.coverage.as_ref()?.mask);
    let all = masks.chain(began).flatten();
    all.fold(Mask(0), |all, mask| Mask(all.0 | mask.0))
}

impl<'a> Flag<'a> {
    fn new(bit: u32, kernel: &Table) -> Self {
        let known = kernel.flag(bit);
        Self {
            bit,
            letter: known.map(|flag| flag.letter),
            name: known.map(|flag| flag.name),
            meaning: known.map(|flag| flag.happened),
            first: None,
            confidence: Confidence::Unattributed,
            count: 0,
            events: Vec::new(),
            reasons: Vec::new(),
            cleared: Vec::new(),
        }
    }

    fn set(&mut self, event: &'a Event, count: u64, places: &mut HashMap<Key<'a>, usize>) {
        let taint = event.taint.as_ref().filter(|_| event.kind == Kind::Taint);
        // As it was recorded: this program's own tables may be older, or of another vendor.
        if let Some(taint) = taint {
            self.letter = taint.letter.or(self.letter);
            self.name = taint.name.as_deref().or(self.name);
            let table = taint.vendor.as_deref().and_then(Table::named);
            let flag = table.and_then(|table| table.flag(self.bit));
            self.meaning = flag.map(|flag| flag.happened).or(self.meaning);
        }
        let was_clear = taint.and_then(|taint| taint.first) != Some(false);
        let cause = event.cause.as_ref();
        let confidence = cause.map_or(Confidence::Unattributed, |cause| cause.confidence);
        // Of several events of the first setting the surest counts; after a clearing it is another setting.
        let is_better = self.first.is_none() || confidence < self.confidence;
        if was_clear && is_better && self.cleared.is_empty() {
            self.first = Some(event);
            self.confidence = confidence;
        }
        self.count = self.count.saturating_add(count);
        self.events.push(event);
        self.reason(event, count, places);
    }

    fn reason(&mut self, event: &'a Event, count: u64, places: &mut HashMap<Key<'a>, usize>) {
        let (class, module, function) = key(event);
        let place = *places
            .entry((class, module, function))
            .or_insert(self.reasons.len());
        match self.reasons.get_mut(place) {
            Some(reason) => {
                reason.count = reason.count.saturating_add(count);
                reason.last = event;
            }
            None => self.reasons.push(Reason {
                class,
                module,
                function,
                first: event,
                last: event,
                count,
            }),
        }
    }
}
