//! The taint state of each boot in a log, reconstructed from its lines.
//!
//! In: findings, in order. Out: events, so that after each report the sum of the events is the state that the report
//! prints: a flag of it that nothing explains is `listed` when a module of the report carries it, else `unattributed`.

use std::collections::{HashMap, HashSet};

use super::{Finding, Origin, What, event, marks::LOCKDEP_OFF, origin::own_table};
use crate::{
    event::{Event, Mask},
    taint::{
        flags::bit,
        log::TaintLine,
        release,
        tables::LINUX,
        text::{Reader, Reading},
        version::Version,
    },
};

/// Bounds: machines in one log, modules with flags in one boot.
const MOST_HOSTS: usize = 64;
const MOST_MODULES: usize = 4096;
/// Reports of two CPUs overlap for no longer.
const AT_ONCE_NS: u64 = 2_000_000_000;
/// P, F, R, M, B, D: set with `LOCKDEP_NOW_UNRELIABLE`.
const LOCKDEP_ENDS: u64 = 1 << bit::PROPRIETARY_MODULE
    | 1 << bit::FORCED_MODULE
    | 1 << bit::FORCED_RMMOD
    | 1 << bit::MACHINE_CHECK
    | 1 << bit::BAD_PAGE
    | 1 << bit::DIE;

/// Makes events of findings, and keeps the sum.
#[derive(Debug, Default)]
pub struct Reconstruction {
    origin: Origin,
    boots: HashMap<Option<String>, Ledger>,
}

/// One boot of one machine.
#[derive(Debug, Default)]
struct Ledger {
    mask: Mask,
    /// Modules and flags that have an event.
    recorded: HashSet<(String, u32)>,
    release: Option<String>,
    /// Flags of readings that have an event.
    ambiguous: Mask,
    /// The last flag that a line set: a report on another CPU may have begun before.
    last: Option<(u32, Option<u64>)>,
}

impl Reconstruction {
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            boots: HashMap::new(),
        }
    }

    /// The events of a finding; most that only print a state have none.
    pub fn enter(&mut self, finding: &Finding) -> Vec<Event> {
        if self.boots.len() >= MOST_HOSTS && !self.boots.contains_key(&finding.host) {
            self.boots.clear();
        }
        let ledger = self.boots.entry(finding.host.clone()).or_default();
        if finding.boot.release.is_some() {
            ledger.release.clone_from(&finding.boot.release);
        }
        match &finding.what {
            What::Boot => {
                *ledger = Ledger {
                    release: finding.boot.release.clone(),
                    ..Ledger::default()
                };
                Vec::new()
            }
            What::State => ledger.before(finding, &self.origin),
            What::TaintLine(taint_line) => {
                let mut events = ledger.before(finding, &self.origin);
                if ledger.repeats_licence(finding, taint_line)
                    || is_before_the_flag(finding, taint_line)
                {
                    return events;
                }
                events.push(event::from_taint_line(
                    finding,
                    taint_line,
                    ledger.mask,
                    &self.origin,
                ));
                ledger.mask = ledger.mask.with(taint_line.bit);
                ledger.last = Some((taint_line.bit, finding.at.since_boot));
                if let Some(module) = &taint_line.module {
                    ledger.record(module, taint_line.bit);
                }
                events
            }
        }
    }

    /// Takes over the flags that another log explains of the last boot, if that was the same kernel.
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
                sum.recorded.extend(ledger.recorded.iter().cloned());
            }
        }
    }

    /// The state after the events so far.
    #[must_use]
    pub fn mask(&self, host: Option<&str>) -> Mask {
        let ledger = self.boots.get(&host.map(str::to_owned));
        ledger.map_or(Mask::default(), |ledger| ledger.mask)
    }
}

impl Ledger {
    /// The flags that a report shows to be set before it.
    fn before(&mut self, finding: &Finding, origin: &Origin) -> Vec<Event> {
        let facts = &finding.facts;
        let mut events = Vec::new();
        for module in &facts.modules {
            for bit in module.flags.bits() {
                if self.record(&module.name, bit) {
                    events.push(event::listed(finding, module, bit, self.mask, origin));
                    self.mask = self.mask.with(bit);
                }
            }
        }
        let is_off = finding
            .lines
            .first()
            .is_some_and(|line| line == LOCKDEP_OFF);
        if is_off && Mask(self.mask.0 & LOCKDEP_ENDS) == Mask(0) {
            events.push(event::lockdep_off(finding, self.mask, origin));
        }
        let facts = facts.read_by(&Reader {
            chosen: origin.table,
            log: own_table(finding),
            local: None,
        });
        let Some(mask) = facts.mask else {
            for bit in facts.torn.minus(self.mask).bits() {
                events.push(event::unattributed(finding, bit, self.mask, origin));
                self.mask = self.mask.with(bit);
            }
            return events;
        };
        if self.is_new(&facts.readings) {
            events.push(event::ambiguous(
                finding,
                &facts.readings,
                self.mask,
                origin,
            ));
        }
        let own = match &finding.what {
            What::TaintLine(taint_line) if facts.mask_is_after => Mask(0).with(taint_line.bit),
            _ => Mask(0),
        };
        for bit in mask.minus(self.mask).minus(own).bits() {
            events.push(event::unattributed(finding, bit, self.mask, origin));
            self.mask = self.mask.with(bit);
        }
        // A flag that is clear here was not set by the text that seemed to set it.
        if !facts.mask_is_doubtful {
            let ambiguous = facts.readings.iter().map(|reading| reading.bit);
            let fresh = self
                .last
                .filter(|(_, at)| is_soon_after(*at, finding.at.since_boot))
                .map(|(bit, _)| bit)
                .into_iter()
                .chain(ambiguous)
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
        let known = Mask(bits.0 & (self.mask.0 | self.ambiguous.0));
        self.ambiguous = Mask(self.ambiguous.0 | bits.0);
        known == Mask(0) && bits != Mask(0)
    }

    /// From 6.4 on the loader prints the licence of a module twice (`module_augment_kernel_taints`).
    fn repeats_licence(&self, finding: &Finding, taint_line: &TaintLine) -> bool {
        let line = finding.lines.first().map(String::as_str);
        let again = line.is_some_and(|line| line.ends_with("module license taints kernel."));
        let module = taint_line.module.clone().unwrap_or_default();
        again && self.recorded.contains(&(module, taint_line.bit))
    }

    /// Whether this is the first event of the module's flag.
    fn record(&mut self, module: &str, bit: u32) -> bool {
        self.recorded.len() < MOST_MODULES && self.recorded.insert((module.to_owned(), bit))
    }
}

/// Two reports that can have been written at once, which cannot be excluded without times.
fn is_soon_after(before: Option<u64>, after: Option<u64>) -> bool {
    let apart = before.zip(after).map(|(one, other)| one.abs_diff(other));
    apart.is_none_or(|apart| apart < AT_ONCE_NS)
}

/// Whether it is a report of a kernel that has no flag for it: warnings, oopses and lockups are older than theirs.
fn is_before_the_flag(finding: &Finding, taint_line: &TaintLine) -> bool {
    let release = finding.boot.release.as_ref();
    let Some(release) = release.or(finding.facts.release.as_ref()) else {
        return false;
    };
    let Some(version) = Version::parse(release) else {
        return false;
    };
    let flag = release::table_of(release)
        .unwrap_or(LINUX)
        .flag(taint_line.bit);
    taint_line.report
        && taint_line.vendor == LINUX.vendor
        && flag.is_none_or(|flag| version < flag.since)
}

#[cfg(test)]
mod tests {
    use super::{super::*, *};

    #[test]
    fn two_lines_of_one_load_are_one_event() {
        let mut scanner = Scanner::new();
        let mut reconstruction = Reconstruction::default();
        let mut events = Vec::new();
        for line in [
            "a: module license 'X' taints kernel.",
            "Disabling lock debugging due to kernel taint",
            "a: module license taints kernel.",
        ] {
            for finding in scanner.push(&Line::of(line)) {
                events.extend(reconstruction.enter(&finding));
            }
        }
        assert_eq!(events.len(), 1, "{events:?}");
    }

    /// The flags of the events, and the state at the end.
    fn flags_and_mask(lines: &[(u64, &str)]) -> (Vec<u32>, Mask) {
        let mut scanner = Scanner::new();
        let mut reconstruction = Reconstruction::default();
        let mut findings = Vec::new();
        for (second, text) in lines {
            findings.extend(scanner.push(&Line {
                since_boot: Some(second * 1_000_000_000),
                ..Line::of(text)
            }));
        }
        findings.extend(scanner.finish());
        let events = findings
            .iter()
            .flat_map(|finding| reconstruction.enter(finding));
        let events: Vec<_> = events.collect();
        let bits = events.iter().filter_map(Event::bit);
        (bits.collect(), reconstruction.mask(None))
    }

    #[test]
    fn a_kernel_without_the_flag_did_not_set_it() {
        let lockup = |release: &str| {
            flags_and_mask(&[
                (1, "BUG: soft lockup - CPU#0 stuck for 22s! [x:7]"),
                (
                    1,
                    &format!("CPU: 0 PID: 7 Comm: x Not tainted {release} #1"),
                ),
            ])
            .0
        };
        assert_eq!(lockup("4.4.0"), [14]);
        assert_eq!(lockup("3.10.58-1.el6.elrepo.x86_64"), [0; 0]);
        assert_eq!(lockup("2.6.32-754.el6.x86_64"), [0; 0]);
    }

    #[test]
    fn a_state_that_is_printed_later_corrects_what_was_misread() {
        let warning = (1, "WARNING: CPU: 1 PID: 7 at a.c:1 f+0x1/0x2");
        let state = |second| (second, "CPU: 0 PID: 1 Comm: x Not tainted 6.1.0 #1");
        assert_eq!(flags_and_mask(&[warning, state(1)]).1, Mask(1 << 9));
        let later = (300, "BUG: soft lockup - CPU#0 stuck for 22s! [x:7]");
        assert_eq!(
            flags_and_mask(&[warning, later, state(300)]).1,
            Mask(1 << 14)
        );
    }
}
