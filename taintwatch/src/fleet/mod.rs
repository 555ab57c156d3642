//! What many machines have in common: which module, version and caller taints how many of them, and since when.
//!
//! In: events of any machines, in any order, each once. Out: causes, newest first, and the machines. Pure. It keeps counts
//! and no events, so memory follows the number of machines and causes.

mod boot;
mod cause;
mod machine;

use std::collections::HashMap;

use crate::event::{Event, Kind};
use boot::Boot;
pub use cause::Cause;
use cause::{Key, Share};
pub use machine::{Group, Machine, groups};

/// What is known of all machines.
#[derive(Debug, Default)]
pub struct Fleet {
    boots: Vec<Boot>,
    places: HashMap<(Option<String>, Option<String>), usize>,
    causes: HashMap<Key, HashMap<usize, Share>>,
    names: HashMap<String, String>,
}

/// How much it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub machines: usize,
    pub boots: usize,
    pub events: u64,
}

impl Fleet {
    /// Takes an event into account; as a cause only where it `passes` the filter.
    pub fn add(&mut self, event: &Event, passes: bool) {
        let place = self.boot(event);
        if let Some(boot) = self.boots.get_mut(place) {
            boot.take(event);
            boot.passed += u64::from(passes);
        }
        if !passes {
            return;
        }
        if matches!(event.kind, Kind::Taint | Kind::MaskWrite) {
            for key in Key::of(event) {
                let shares = self.causes.entry(key).or_default();
                shares.entry(place).or_default().take(event);
            }
        }
    }

    /// The name that a machine has for people.
    pub fn name(&mut self, host: String, name: String) {
        self.names.insert(host, name);
    }

    #[must_use]
    pub fn size(&self) -> Size {
        Size {
            machines: self.hosts().len(),
            boots: self.wanted().filter(|boot| boot.id.is_some()).count(),
            events: self.wanted().map(|boot| boot.passed).sum(),
        }
    }

    /// The machines, by their ids.
    #[must_use]
    pub fn machines(&self) -> Vec<Machine> {
        let mut machines: Vec<_> = self
            .hosts()
            .into_values()
            .map(|boots| Machine::of(&boots))
            .collect();
        machines.sort_by(|one, other| one.host.cmp(&other.host));
        machines
    }

    /// What set flags, the newest first.
    #[must_use]
    pub fn causes(&self) -> Vec<Cause> {
        let mut causes: Vec<_> = self
            .causes
            .iter()
            .map(|(key, shares)| Cause::of(key, shares, &self.boots))
            .filter(|cause| cause.boots > 0)
            .collect();
        causes.sort_by(|one, other| one.order().cmp(&other.order()));
        causes
    }

    /// A machine's name and the start of its id, or its id.
    #[must_use]
    pub fn called(&self, host: Option<&str>) -> String {
        let Some(host) = host else {
            return "a machine without an id".to_owned();
        };
        match self.names.get(host) {
            Some(name) => format!("{name} ({})", host.get(..8).unwrap_or(host)),
            None => host.to_owned(),
        }
    }

    /// Keeps the boots of each machine that the words name: steps back from its newest one, the start of an id, or `all`.
    /// Gives the first word that names none.
    pub fn select<'w>(&mut self, words: &'w [String]) -> Option<&'w str> {
        let mut wanted = vec![false; self.boots.len()];
        let by_age = self.by_age();
        let mut unknown = None;
        for word in words {
            let mut found = word == "all";
            for places in &by_age {
                let chosen = places.iter().enumerate().filter(|(back, place)| {
                    let boot = self.boots.get(**place);
                    boot.is_some_and(|boot| boot.is_meant(word, *back))
                });
                for (_, place) in chosen {
                    found = true;
                    wanted.get_mut(*place).into_iter().for_each(|it| *it = true);
                }
            }
            if !found {
                unknown = unknown.or(Some(word.as_str()));
            }
        }
        for (boot, wanted) in self.boots.iter_mut().zip(wanted) {
            boot.wanted = wanted;
        }
        unknown
    }

    /// The places of each machine's boots, the newest first.
    fn by_age(&self) -> Vec<Vec<usize>> {
        let mut hosts: HashMap<_, Vec<usize>> = HashMap::new();
        for (place, boot) in self.boots.iter().enumerate() {
            hosts.entry(&boot.host).or_default().push(place);
        }
        let mut all: Vec<_> = hosts.into_values().collect();
        for places in &mut all {
            places.sort_by_key(|place| std::cmp::Reverse(self.boots.get(*place).map(Boot::age)));
        }
        all
    }

    fn wanted(&self) -> impl Iterator<Item = &Boot> {
        self.boots.iter().filter(|boot| boot.wanted)
    }

    fn hosts(&self) -> HashMap<Option<&str>, Vec<&Boot>> {
        let mut hosts: HashMap<_, Vec<&Boot>> = HashMap::new();
        for boot in self.wanted() {
            hosts.entry(boot.host.as_deref()).or_default().push(boot);
        }
        hosts
    }

    fn boot(&mut self, event: &Event) -> usize {
        let key = (event.host.clone(), event.boot_id.clone());
        let boots = &mut self.boots;
        *self.places.entry(key).or_insert_with(|| {
            boots.push(Boot::new(event));
            boots.len() - 1
        })
    }
}

#[cfg(test)]
mod tests;
