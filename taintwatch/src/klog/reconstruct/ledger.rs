//! The flags of one boot, and the order in which they were set.
//!
//! In: what lines say, in the order of their first lines, and the states that the kernel printed between. Out: events.
//! A flag of a state that no line explains is `listed` where a module carries it, else `unattributed`; it was set before
//! the lines that are held, since the loader prints one for the first module of each flag (`kernel/module/main.c`), and
//! reports are printed always.

use std::collections::HashSet;

use super::{
    claims::{self, Claim},
    held::{self, Held, Open},
    lists::{Lists, When, order_in_load},
    settled::Settled,
    state::{State, Verdict, bits},
};
use crate::{
    event::{Event, Mask},
    klog::{Finding, Listed, Origin, What, event, marks::LOCKDEP_OFF, origin::own_table},
    taint::{
        flags::bit,
        log::Printer,
        text::{Reader, Reading},
    },
};

/// Modules with flags of one boot that are kept.
const MOST_MODULES: usize = 4096;
/// P, F, R, M, B, D, A: their callers pass `LOCKDEP_NOW_UNRELIABLE`.
const LOCKDEP_ENDS: u64 = 1 << bit::PROPRIETARY_MODULE
    | 1 << bit::FORCED_MODULE
    | 1 << bit::FORCED_RMMOD
    | 1 << bit::MACHINE_CHECK
    | 1 << bit::BAD_PAGE
    | 1 << bit::DIE
    | 1 << bit::OVERRIDDEN_ACPI_TABLE;

#[derive(Debug, Default)]
pub(super) struct Ledger {
    mask: Mask,
    /// Modules and flags that have an event.
    recorded: HashSet<(String, u32)>,
    release: Option<String>,
    /// Flags of readings that have an event.
    ambiguous: Mask,
}

type Out = Vec<(usize, Settled)>;

impl Ledger {
    pub(super) fn new(release: Option<String>) -> Self {
        Self {
            release,
            ..Self::default()
        }
    }

    pub(super) fn mask(&self) -> Mask {
        self.mask
    }

    /// Takes over what another log explains, if that was the same kernel.
    pub(super) fn absorb(&mut self, other: &Self, release: Option<&str>) {
        let differs = other
            .release
            .as_deref()
            .zip(release)
            .is_some_and(|(a, b)| a != b);
        if !differs {
            self.mask = Mask(self.mask.0 | other.mask.0);
            self.recorded.extend(other.recorded.iter().cloned());
        }
    }

    /// A state that a finding prints, and what is held of the time before it: events, and what stays open.
    pub(super) fn state(
        &mut self,
        before: Vec<Held>,
        finding: &Finding,
        origin: &Origin,
    ) -> (Out, Vec<Held>) {
        self.learn_release(before.iter().map(|held| &held.finding).chain([finding]));
        let facts = finding.facts.read_by(&Reader {
            chosen: origin.table,
            log: own_table(finding),
            local: None,
        });
        let state = State::of(finding, &facts);
        let (mut settled, mut kept) = (Vec::new(), Vec::new());
        let mut open = Vec::new();
        for held in before {
            let mut claims = claims::of(&held.finding, self.release.as_deref());
            state.decide(&mut claims);
            match state.verdict(&held.finding, &claims) {
                Verdict::Open => kept.push(held),
                Verdict::Counts => open.push(Open::new(held, claims)),
                Verdict::Denied(bits) => {
                    claims.retain(|claim| !bits.contains(&claim.bit()));
                    open.push(Open {
                        denied: bits,
                        ..Open::new(held, claims)
                    });
                }
            }
        }
        let claimed = open.iter().flat_map(|open| &open.claims);
        let claimed = claimed
            .filter(|claim| claim.unsure.is_none())
            .map(Claim::bit);
        let own = claims::of(finding, self.release.as_deref());
        let next_ends = ends_lockdep_at_once(&own);
        let is_in_state = |claim: &&Claim| facts.mask_is_after || claim.is_set_first();
        let own = own.iter().filter(is_in_state).map(Claim::bit);
        let known = claimed.chain(own).fold(self.mask, Mask::with);
        let shown = Shown {
            unexplained: state.mask.minus(known),
            readings: facts.readings.clone(),
            finding,
        };
        self.write(open, Some(&shown), next_ends, origin, &mut settled);
        let mut last = Settled::of(finding);
        // What an earlier state denied can have an event already.
        for bit in state.mask.minus(known).minus(self.mask).bits() {
            last.events.push(self.unattributed(finding, bit, origin));
        }
        let denied = self.correct(&state);
        last.denied = denied.bits().collect();
        settled.push((0, last));
        (settled, kept)
    }

    /// Nothing follows that could confirm or deny what is held.
    pub(super) fn end(&mut self, held: Vec<Held>, origin: &Origin) -> Out {
        self.learn_release(held.iter().map(|held| &held.finding));
        let panics = held.iter().skip(1).map(|held| match held.finding.what {
            What::State => held.finding.facts.panic.clone(),
            _ => None,
        });
        let panics: Vec<_> = panics.chain([None]).collect();
        let open = |(held, panic): (Held, Option<String>)| {
            let release = self.release.as_deref();
            let claims = claims::before_panic(&held.finding, release, panic.as_deref());
            Open::new(held, claims)
        };
        let open: Vec<_> = held.into_iter().zip(panics).map(open).collect();
        let mut settled = Vec::new();
        self.write(open, None, false, origin, &mut settled);
        settled
    }

    fn learn_release<'a>(&mut self, findings: impl Iterator<Item = &'a Finding>) {
        for finding in findings {
            let release = finding.boot.release.as_ref();
            let release = release.or(finding.facts.release.as_ref());
            if finding.boot.release.is_some() || self.release.is_none() {
                self.release = release.cloned().or_else(|| self.release.take());
            }
        }
    }

    /// Writes the events of what is open: before them what was there, behind them what modules carry that were loaded
    /// later.
    fn write(
        &mut self,
        open: Vec<Open>,
        state: Option<&Shown<'_>>,
        next_ends: bool,
        origin: &Origin,
        out: &mut Out,
    ) {
        let lists = Lists::of(&open, state.map(|shown| shown.finding));
        // Behind the flags that were set right after the state before.
        let place = open.iter().take_while(|open| open.held.state_taken).count();
        let ends_lockdep: Vec<_> = open
            .iter()
            .skip(1)
            .map(|open| ends_lockdep_at_once(&open.claims))
            .chain([next_ends])
            .collect();
        let count = open.len();
        for (index, (open, next_ends)) in open.into_iter().zip(ends_lockdep).enumerate() {
            let finding = &open.held.finding;
            let mut settled = Settled::of(finding);
            settled.denied = open.denied;
            if index == place {
                settled.events = self.front(state, &lists, origin);
            }
            self.own(
                finding,
                &open.claims,
                next_ends,
                &lists,
                origin,
                &mut settled.events,
            );
            if index + 1 == count && place < count {
                settled
                    .events
                    .extend(self.listed_where(&lists, When::Later, origin));
            }
            out.push((held::bytes(finding), settled));
        }
        if place == count
            && let Some(finding) = state.map(|shown| shown.finding)
        {
            let mut settled = Settled::of(finding);
            settled.events = self.front(state, &lists, origin);
            settled
                .events
                .extend(self.listed_where(&lists, When::Later, origin));
            out.push((0, settled));
        }
    }

    /// The flags of one finding's own.
    fn own(
        &mut self,
        finding: &Finding,
        claims: &[Claim],
        next_ends_lockdep: bool,
        lists: &Lists,
        origin: &Origin,
        events: &mut Vec<Event>,
    ) {
        let first = finding.lines.first().map(String::as_str);
        let is_explained = self.mask.0 & LOCKDEP_ENDS != 0 || next_ends_lockdep;
        if first == Some(LOCKDEP_OFF) && finding.what == What::State && !is_explained {
            events.push(event::lockdep_off(finding, self.mask, origin));
        }
        if let What::Refused(module) = &finding.what {
            events.push(event::refused(finding, module, origin));
        }
        // A state of its own says more than a list whose names are torn.
        let torn = finding.facts.torn.minus(self.mask);
        for bit in torn.bits().filter(|_| finding.facts.mask.is_none()) {
            events.push(self.unattributed(finding, bit, origin));
        }
        for claim in claims {
            if self.repeats_licence(finding, claim) {
                continue;
            }
            if let Some(why) = claim.unsure {
                let line = &claim.line;
                events.push(event::unsure(finding, line, why, self.mask, origin));
                continue;
            }
            events.extend(self.of_load(claim, lists, true, origin));
            let line = &claim.line;
            events.push(event::from_taint_line(finding, line, self.mask, origin));
            self.mask = self.mask.with(claim.bit());
            if let Some(module) = &line.module {
                self.record(module, claim.bit());
            }
            events.extend(self.of_load(claim, lists, false, origin));
        }
    }

    /// What was set before the lines that are held: T with the kernel itself, then what modules carry, then the rest.
    fn front(&mut self, state: Option<&Shown<'_>>, lists: &Lists, origin: &Origin) -> Vec<Event> {
        let mut events = Vec::new();
        if let Some(shown) = state {
            if shown.unexplained.has(bit::RANDSTRUCT) {
                events.push(self.unattributed(shown.finding, bit::RANDSTRUCT, origin));
            }
            if self.is_new(&shown.readings) {
                let (finding, readings) = (shown.finding, &shown.readings);
                events.push(event::ambiguous(finding, readings, self.mask, origin));
            }
        }
        events.extend(self.listed_where(lists, When::Before, origin));
        if let Some(shown) = state {
            // What the lists of later modules explain comes with them.
            let rest = shown.unexplained.minus(self.mask).minus(lists.later());
            for bit in rest.bits() {
                events.push(self.unattributed(shown.finding, bit, origin));
            }
        }
        events
    }

    fn listed_where(&mut self, lists: &Lists, when: When, origin: &Origin) -> Vec<Event> {
        let mut events = Vec::new();
        for (finding, module) in lists.modules(when) {
            let flags = module.flags.bits();
            let flags = flags.filter(|bit| !lists.has_line(&module.name, *bit));
            let flags = flags.fold(Mask(0), Mask::with);
            events.extend(self.listed(finding, module, flags, origin));
        }
        events
    }

    /// The flags of a module that the lists have beside that of its own line: those that the loader sets before it, or
    /// the others.
    fn of_load(
        &mut self,
        claim: &Claim,
        lists: &Lists,
        before: bool,
        origin: &Origin,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        let module = claim.line.module.as_deref();
        let module = module.filter(|_| claim.line.printer == Printer::Loader);
        for (finding, listed) in module.into_iter().flat_map(|name| lists.of_module(name)) {
            let flags = listed.flags.bits().filter(|bit| {
                let is_before = order_in_load(*bit) < order_in_load(claim.bit());
                is_before == before && !lists.has_line(&listed.name, *bit)
            });
            let flags = flags.fold(Mask(0), Mask::with);
            events.extend(self.listed(finding, listed, flags, origin));
        }
        events
    }

    fn listed(
        &mut self,
        finding: &Finding,
        module: &Listed,
        flags: Mask,
        origin: &Origin,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        for bit in flags.bits() {
            if self.record(&module.name, bit) {
                events.push(event::listed(finding, module, bit, self.mask, origin));
                self.mask = self.mask.with(bit);
            }
        }
        events
    }

    fn unattributed(&mut self, finding: &Finding, bit: u32, origin: &Origin) -> Event {
        let event = event::unattributed(finding, bit, self.mask, origin);
        self.mask = self.mask.with(bit);
        event
    }

    /// A flag that is clear here was not set by what seemed to set it: those flags.
    fn correct(&mut self, state: &State) -> Mask {
        if state.is_doubtful {
            return Mask(0);
        }
        let denied = self.mask.minus(state.possible);
        self.mask = self.mask.minus(denied);
        denied
    }

    /// Whether flags that kernels mean differently are set, and none of their readings is explained.
    fn is_new(&mut self, readings: &[Reading]) -> bool {
        let bits = bits(readings);
        let known = Mask(bits.0 & (self.mask.0 | self.ambiguous.0));
        self.ambiguous = Mask(self.ambiguous.0 | bits.0);
        known == Mask(0) && bits != Mask(0)
    }

    /// From 6.4 on the loader prints the licence of a module twice (`module_augment_kernel_taints`).
    fn repeats_licence(&self, finding: &Finding, claim: &Claim) -> bool {
        let line = finding.lines.first().map(String::as_str);
        let again = line.is_some_and(|line| line.ends_with("module license taints kernel."));
        let module = claim.line.module.clone().unwrap_or_default();
        again && self.mask.has(claim.bit()) && self.recorded.contains(&(module, claim.bit()))
    }

    /// Whether this is the first event of the module's flag.
    fn record(&mut self, module: &str, bit: u32) -> bool {
        self.recorded.len() < MOST_MODULES && self.recorded.insert((module.to_owned(), bit))
    }
}

/// What a state shows to have been set before the lines that are held.
struct Shown<'a> {
    unexplained: Mask,
    readings: Vec<Reading>,
    finding: &'a Finding,
}

/// Whether what comes next was set right behind a line that says so: ndiswrapper's licence, and powerpc's machine checks,
/// have their own line behind it.
fn ends_lockdep_at_once(claims: &[Claim]) -> bool {
    let first = claims.first().map(Claim::bit);
    matches!(first, Some(bit::PROPRIETARY_MODULE | bit::MACHINE_CHECK))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(bits: &[u32]) -> Vec<Reading> {
        let reading = |bit: &u32| Reading {
            bit: *bit,
            letter: None,
            name: None,
            vendor: "unknown",
            happened: None,
        };
        bits.iter().map(reading).collect()
    }

    #[test]
    fn flags_that_kernels_mean_differently_are_new_once() {
        let mut ledger = Ledger::new(None);
        assert!(!ledger.is_new(&readings(&[])));
        assert!(ledger.is_new(&readings(&[16, 18])));
        assert!(!ledger.is_new(&readings(&[18])));
        assert!(!ledger.is_new(&readings(&[18])));
        ledger.mask = Mask(1 << 31);
        assert!(!ledger.is_new(&readings(&[31])), "an event has it");
        assert!(!ledger.is_new(&readings(&[31])), "as before");
        assert!(ledger.is_new(&readings(&[30])));
    }

    #[test]
    fn a_line_of_its_own_stands_behind_a_licence_and_a_machine_check() {
        let claim = |text: &str| Claim {
            line: crate::taint::log::TaintLine::parse(text).unwrap(),
            unsure: None,
        };
        let licence = claim("m: module license 'XPL' taints kernel.");
        assert!(ends_lockdep_at_once(&[licence]));
        let warns = claim("WARNING: CPU: 1 PID: 7 at x.c:1 f+0x1/0x2 [m]");
        assert!(!ends_lockdep_at_once(&[warns]));
        assert!(!ends_lockdep_at_once(&[]));
    }

    #[test]
    fn so_many_modules_are_kept() {
        let mut ledger = Ledger::new(None);
        for number in 0..MOST_MODULES {
            assert!(ledger.record(&number.to_string(), 0));
        }
        assert!(!ledger.record("x", 0));
        assert!(!ledger.record("0", 0));
    }
}
