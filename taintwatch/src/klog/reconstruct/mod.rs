//! The taint state of each boot in a log, reconstructed from its lines.
//!
//! In: findings, as the log has them. Out: events, in the order in which the flags were set as far as the log shows it,
//! so that at each report the sum of the events is the state that the report prints. What a line says is held until a
//! state follows, which confirms or denies it, and shows what was set before.

mod claims;
mod held;
mod ledger;
mod lists;
mod settled;
mod state;

use std::collections::HashMap;

use super::{Finding, Origin, What};
use crate::event::{Event, Mask};
use held::Held;
use ledger::Ledger;
pub use settled::Settled;

/// Machines in one log that are followed.
const MOST_HOSTS: usize = 64;
/// So much is held in all, in findings and in bytes of their lines.
const MOST_HELD: usize = 4096;
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Makes events of findings, and keeps the sum.
#[derive(Debug, Default)]
pub struct Reconstruction {
    origin: Origin,
    boots: HashMap<Option<String>, Boot>,
    held: usize,
    bytes: usize,
}

/// One boot of one machine.
#[derive(Debug, Default)]
struct Boot {
    ledger: Ledger,
    held: Vec<Held>,
}

impl Reconstruction {
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            ..Self::default()
        }
    }

    /// All events of a log.
    #[must_use]
    pub fn events(origin: Origin, findings: impl IntoIterator<Item = Finding>) -> Vec<Event> {
        let mut reconstruction = Self::new(origin);
        let mut settled = Vec::new();
        for finding in findings {
            settled.extend(reconstruction.enter(finding));
        }
        settled.extend(reconstruction.finish());
        settled.into_iter().flat_map(|one| one.events).collect()
    }

    /// Takes a finding; what has become certain with it.
    pub fn enter(&mut self, finding: Finding) -> Vec<Settled> {
        let mut out = Vec::new();
        if self.boots.len() >= MOST_HOSTS && !self.boots.contains_key(&finding.host) {
            out = self.finish();
            self.boots.clear();
        }
        let boot = self.boots.entry(finding.host.clone()).or_default();
        if finding.what == What::Boot {
            let settled = boot.end(&self.origin);
            self.forget(&settled);
            out.extend(settled.into_iter().map(|(_, settled)| settled));
            out.push(Settled::of(&finding));
            let boot = self.boots.entry(finding.host.clone()).or_default();
            boot.ledger = Ledger::new(finding.boot.release.clone());
            return out;
        }
        self.held += 1;
        self.bytes += held::bytes(&finding);
        if finding.facts.mask.is_some() {
            let settled = boot.state(finding, &self.origin);
            self.forget(&settled);
            out.extend(settled.into_iter().map(|(_, settled)| settled));
        } else {
            boot.held.push(Held::new(finding));
        }
        if self.held > MOST_HELD || self.bytes > MOST_BYTES {
            out.extend(self.finish());
        }
        out
    }

    /// No further finding comes: what no state confirms or denies counts as its lines say.
    pub fn finish(&mut self) -> Vec<Settled> {
        (self.held, self.bytes) = (0, 0);
        let mut hosts: Vec<_> = self.boots.keys().cloned().collect();
        hosts.sort_unstable();
        let mut out = Vec::new();
        for host in hosts {
            if let Some(boot) = self.boots.get_mut(&host) {
                let settled = boot.end(&self.origin);
                out.extend(settled.into_iter().map(|(_, settled)| settled));
            }
        }
        out
    }

    fn forget(&mut self, settled: &[(usize, Settled)]) {
        for (bytes, _) in settled {
            self.held = self.held.saturating_sub(usize::from(*bytes > 0));
            self.bytes = self.bytes.saturating_sub(*bytes);
        }
    }

    /// Takes over the flags that another log explains of the last boot, if that was the same kernel.
    pub fn absorb(&mut self, other: &Self, release: Option<&str>) {
        let sum = self.boots.entry(None).or_default();
        for boot in other.boots.values() {
            sum.ledger.absorb(&boot.ledger, release);
        }
    }

    /// The state after the events so far.
    #[must_use]
    pub fn mask(&self, host: Option<&str>) -> Mask {
        let boot = self.boots.get(&host.map(str::to_owned));
        boot.map_or(Mask::default(), |boot| boot.ledger.mask())
    }
}

impl Boot {
    /// A state of the kernel: what is held of the time before it is certain now.
    fn state(&mut self, finding: Finding, origin: &Origin) -> Vec<(usize, Settled)> {
        let (mut before, behind): (Vec<_>, Vec<_>) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(|held| held.finding.at.place <= finding.at.place);
        before.sort_by_key(|held| held.finding.at.place);
        let (settled, kept) = self.ledger.state(before, &finding, origin);
        self.held = kept;
        self.held.push(Held::with_state(finding));
        self.held.extend(behind);
        settled
    }

    fn end(&mut self, origin: &Origin) -> Vec<(usize, Settled)> {
        let mut held = std::mem::take(&mut self.held);
        held.sort_by_key(|held| held.finding.at.place);
        self.ledger.end(held, origin)
    }
}

#[cfg(test)]
mod tests;
