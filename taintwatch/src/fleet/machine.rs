//! The machines, and which of them differ.
//!
//! In: the boots of a machine. Out: its state in its newest boot, what makes its record incomplete; and machines of one state
//! together.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use jiff::SignedDuration;
use serde::Serialize;

use super::boot::Boot;
use crate::{
    event::{Mask, Time},
    history::Losses,
};

/// One machine.
#[derive(Debug, Serialize)]
pub struct Machine {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The newest boot, its kernel and every flag that it had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    pub mask: Mask,
    pub letters: String,
    pub boots: usize,
    pub events: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Time>,
    /// Times without monitoring, after it had begun in a boot.
    pub gaps: usize,
    pub gap_seconds: u64,
    /// Times with a layer missing.
    pub degraded: usize,
    /// Boots of which no daemon recorded anything itself.
    pub not_monitored: usize,
    /// Writes that cleared flags past `add_taint`.
    pub cleared: u64,
    /// Records that were lost, by kind.
    pub losses: Losses,
}

impl Machine {
    pub(super) fn of(boots: &[&Boot]) -> Self {
        let newest = boots.iter().max_by_key(|boot| boot.age());
        let mut machine = Self {
            host: boots.first().and_then(|boot| boot.host.clone()),
            boot_id: newest.and_then(|boot| boot.id.clone()),
            release: newest.and_then(|boot| boot.release.clone()),
            mask: newest.map_or(Mask(0), |boot| boot.mask()),
            letters: newest.map(|boot| boot.marks()).unwrap_or_default(),
            boots: boots.iter().filter(|boot| boot.id.is_some()).count(),
            events: boots.iter().map(|boot| boot.events).sum(),
            first: boots.iter().filter_map(|boot| boot.from).min(),
            last: boots.iter().filter_map(|boot| boot.to).max(),
            gaps: 0,
            gap_seconds: 0,
            degraded: 0,
            not_monitored: 0,
            cleared: boots.iter().map(|boot| boot.cleared).sum(),
            losses: boots
                .iter()
                .fold(Losses::default(), |sum, boot| sum.with(boot.losses)),
        };
        for boot in boots {
            machine.coverage(boot);
        }
        machine
    }

    /// Every boot has a time before monitoring began: that is none of these gaps.
    fn coverage(&mut self, boot: &Boot) {
        let coverage = boot.coverage();
        let gaps = coverage.gaps.iter();
        let gaps = gaps.filter(|gap| gap.period.from_ns != Some(0));
        let lengths: Vec<_> = gaps.map(|gap| gap.period.length()).collect();
        self.gaps += lengths.len();
        let all: SignedDuration = lengths.iter().sum();
        self.gap_seconds += u64::try_from(all.as_secs()).unwrap_or(0);
        self.degraded += coverage.intervals.iter().filter(|it| !it.full).count();
        self.not_monitored += usize::from(boot.id.is_some() && coverage.intervals.is_empty());
    }

    /// What makes its record incomplete or its mask a lie.
    #[must_use]
    pub const fn is_doubtful(&self) -> bool {
        self.gaps > 0
            || self.degraded > 0
            || self.not_monitored > 0
            || self.cleared > 0
            || self.losses.total() > 0
    }
}

/// Machines whose newest boots have the same flags.
#[derive(Debug)]
pub struct Group<'m> {
    pub letters: &'m str,
    pub machines: Vec<&'m Machine>,
}

/// The machines by their flags, the largest group first.
#[must_use]
pub fn groups(machines: &[Machine]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut places = HashMap::new();
    for machine in machines {
        let key = (machine.mask, machine.letters.as_str());
        let place = *places.entry(key).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.machines.push(machine),
            None => groups.push(Group {
                letters: &machine.letters,
                machines: vec![machine],
            }),
        }
    }
    groups.sort_by_key(|group| (Reverse(group.machines.len()), group.letters));
    groups
}

impl Group<'_> {
    /// Their kernels, each once.
    #[must_use]
    pub fn releases(&self) -> Vec<&str> {
        let mut seen = HashSet::new();
        let releases = self.machines.iter().filter_map(|it| it.release.as_deref());
        let mut releases: Vec<_> = releases.filter(|it| seen.insert(*it)).collect();
        releases.sort_unstable();
        releases
    }
}
