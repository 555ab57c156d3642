//! The taint state of each boot in a log, as its lines tell of it.
//!
//! In: sightings, in order. Out: events, so that after each report the sum of the events is the state that the report
//! prints: a flag of it that nothing explains is `listed` when a module of the report carries it, else `unattributed`.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::{Sighting, What, event, marks::LOCKDEP_OFF};
use crate::{
    event::{Event, Mask, Source},
    taint::{
        log::Told,
        release,
        tables::{LINUX, Table},
        text::{Reader, Reading},
    },
};

/// Bounds: machines in one log, modules with flags in one boot.
const MOST_HOSTS: usize = 64;
const MOST_MODULES: usize = 4096;
/// P, F, R, M, B, D: set with `LOCKDEP_NOW_UNRELIABLE`.
const LOCKDEP_ENDS: u64 = 1 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 7;

/// What is known of a log beside its lines.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The layer that the events name: `log`, or `crash`.
    pub source: Source,
    /// The machine's id; a name that the log has is no id.
    pub host: Option<String>,
    /// The boot that the log is of, when it is of one.
    pub boot_id: Option<String>,
    /// When that boot was, for lines that have only a time since the boot.
    pub booted: Option<Timestamp>,
    /// Whose kernel it was, when the user says so; else the log's own releases tell.
    pub table: Option<&'static Table>,
}

impl Origin {
    /// Whose flags a sighting's are.
    pub(super) fn table_of(&self, sighting: &Sighting) -> &'static Table {
        self.table.or(own_table(sighting)).unwrap_or(LINUX)
    }
}

/// By the release of the boot, or of the report.
fn own_table(sighting: &Sighting) -> Option<&'static Table> {
    let releases = [&sighting.boot.release, &sighting.facts.release];
    releases
        .into_iter()
        .flatten()
        .find_map(|release| release::table_of(release))
}

impl Default for Origin {
    fn default() -> Self {
        Self {
            source: Source::Log,
            host: None,
            boot_id: None,
            booted: None,
            table: None,
        }
    }
}

/// Makes events of sightings, and keeps the sum.
#[derive(Debug, Default)]
pub struct Account {
    origin: Origin,
    boots: HashMap<Option<String>, Ledger>,
}

/// One boot of one machine.
#[derive(Debug, Default)]
struct Ledger {
    mask: Mask,
    /// Modules and flags that an event has told of.
    told: HashSet<(String, u32)>,
    release: Option<String>,
    /// Flags of readings that were told of.
    either: Mask,
    /// The last flag that was told of: a report on another CPU may have been begun before.
    last: Option<u32>,
}

impl Account {
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            boots: HashMap::new(),
        }
    }

    /// The events of a sighting; none for most that are no more than a state.
    pub fn enter(&mut self, sighting: &Sighting) -> Vec<Event> {
        if self.boots.len() >= MOST_HOSTS && !self.boots.contains_key(&sighting.host) {
            self.boots.clear();
        }
        let ledger = self.boots.entry(sighting.host.clone()).or_default();
        if sighting.boot.release.is_some() {
            ledger.release.clone_from(&sighting.boot.release);
        }
        match &sighting.what {
            What::Boot => {
                *ledger = Ledger {
                    release: sighting.boot.release.clone(),
                    ..Ledger::default()
                };
                Vec::new()
            }
            What::State => ledger.before(sighting, &self.origin),
            What::Told(told) => {
                let mut events = ledger.before(sighting, &self.origin);
                if ledger.is_echo(sighting, told) {
                    return events;
                }
                events.push(event::told(sighting, told, ledger.mask, &self.origin));
                ledger.mask = ledger.mask.with(told.bit);
                ledger.last = Some(told.bit);
                if let Some(module) = &told.module {
                    ledger.tell(module, told.bit);
                }
                events
            }
        }
    }

    /// Takes over what another log explains of the last boot, as far as it is of the same kernel.
    pub fn absorb(&mut self, other: &Self, release: Option<&str>) {
        let sum = self.boots.entry(None).or_default();
        for ledger in other.boots.values() {
            let differs = ledger
                .release
                .as_deref()
                .zip(release)
                .is_some_and(|(a, b)| a != b);
            if !differs {
                sum.mask = Mask(sum.mask.0 | ledger.mask.0);
                sum.told.extend(ledger.told.iter().cloned());
            }
        }
    }

    /// The state as the events so far have it.
    #[must_use]
    pub fn mask(&self, host: Option<&str>) -> Mask {
        let ledger = self.boots.get(&host.map(str::to_owned));
        ledger.map_or(Mask::default(), |ledger| ledger.mask)
    }
}

impl Ledger {
    /// What a report shows to have been there before it.
    fn before(&mut self, sighting: &Sighting, origin: &Origin) -> Vec<Event> {
        let facts = &sighting.facts;
        let mut events = Vec::new();
        for module in &facts.modules {
            for bit in module.flags.bits() {
                if self.tell(&module.name, bit) {
                    events.push(event::listed(sighting, module, bit, self.mask, origin));
                    self.mask = self.mask.with(bit);
                }
            }
        }
        let is_off = sighting
            .lines
            .first()
            .is_some_and(|line| line == LOCKDEP_OFF);
        if is_off && Mask(self.mask.0 & LOCKDEP_ENDS) == Mask(0) {
            events.push(event::lockdep_off(sighting, self.mask, origin));
        }
        let facts = facts.read_by(&Reader {
            chosen: origin.table,
            log: own_table(sighting),
            local: None,
        });
        let Some(mask) = facts.mask else {
            return events;
        };
        if self.is_new(&facts.readings) {
            events.push(event::either(sighting, &facts.readings, self.mask, origin));
        }
        let own = match &sighting.what {
            What::Told(told) if facts.mask_is_after => Mask(0).with(told.bit),
            _ => Mask(0),
        };
        for bit in mask.minus(self.mask).minus(own).bits() {
            events.push(event::unattributed(sighting, bit, self.mask, origin));
            self.mask = self.mask.with(bit);
        }
        // A flag that is clear here was not set by the text that seemed to tell of it.
        if !facts.mask_is_doubtful {
            let either = facts.readings.iter().map(|reading| reading.bit);
            let fresh = self
                .last
                .into_iter()
                .chain(either)
                .fold(Mask(0), Mask::with);
            self.mask = self.mask.minus(self.mask.minus(mask).minus(fresh));
        }
        events
    }

    /// Whether flags that kernels mean differently are set, and none of their readings is explained.
    fn is_new(&mut self, readings: &[Reading]) -> bool {
        let bits = readings
            .iter()
            .map(|reading| reading.bit)
            .fold(Mask(0), Mask::with);
        let known = Mask(bits.0 & (self.mask.0 | self.either.0));
        self.either = Mask(self.either.0 | bits.0);
        known == Mask(0) && bits != Mask(0)
    }

    /// From 6.4 on the loader prints the licence of a module twice (`module_augment_kernel_taints`).
    fn is_echo(&self, sighting: &Sighting, told: &Told) -> bool {
        let line = sighting.lines.first().map(String::as_str);
        let again = line.is_some_and(|line| line.ends_with("module license taints kernel."));
        let module = told.module.clone().unwrap_or_default();
        again && self.told.contains(&(module, told.bit))
    }

    /// Whether it is told for the first time.
    fn tell(&mut self, module: &str, bit: u32) -> bool {
        self.told.len() < MOST_MODULES && self.told.insert((module.to_owned(), bit))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::*, *};

    #[test]
    fn two_lines_of_one_load_are_one_event() {
        let mut scanner = Scanner::new();
        let mut account = Account::default();
        let mut events = Vec::new();
        for line in [
            "a: module license 'X' taints kernel.",
            "Disabling lock debugging due to kernel taint",
            "a: module license taints kernel.",
        ] {
            for sighting in scanner.push(&Line::of(line)) {
                events.extend(account.enter(&sighting));
            }
        }
        assert_eq!(events.len(), 1, "{events:?}");
    }
}
