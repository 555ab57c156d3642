//! Which entries of the timeline a report shows in full, and what stands for the others.
//!
//! In: the boots of a report. Out: of each boot the entries, and groups that have the first, the last and the number of
//! the other events. The first entry of each flag, cause and module comes before a second one of any; among those,
//! first settings and writes to the mask come before repeats and before loads without flags.

use std::collections::{HashMap, HashSet};

use super::{format, scope::Scope};
use crate::{
    event::{Event, Kind},
    history::{
        self, Entry,
        entry::{Group, group_key, groups},
    },
};

/// The timeline of each boot, in the order of the boots.
#[derive(Debug)]
pub struct Selection<'a> {
    pub boots: Vec<Selected<'a>>,
}

/// The timeline of one boot.
#[derive(Debug)]
pub struct Selected<'a> {
    pub entries: Vec<Entry<'a>>,
    pub rest: Rest<'a>,
}

/// The events of a boot that are not shown in full.
#[derive(Debug)]
pub struct Rest<'a> {
    pub events: usize,
    /// The largest groups of them.
    pub groups: Vec<Group<'a>>,
    /// How many more groups there are.
    pub more: usize,
}

impl<'a> Selection<'a> {
    #[must_use]
    pub fn of(scope: &Scope<'_, 'a>) -> Self {
        let of_boot = |boot: &&history::BootHistory<'a>| {
            let events = boot.events.iter().copied();
            history::entries(events.filter(|event| scope.shows(event)))
        };
        let boots: Vec<_> = scope.boots.iter().map(of_boot).collect();
        let wanted = wanted(&boots, scope.limits.entries);
        let groups = scope.share(scope.limits.groups);
        let select = |entries: Vec<Entry<'a>>| {
            let (entries, rest) = entries
                .into_iter()
                .partition(|entry| wanted.contains(&entry.event.seq));
            Selected {
                entries,
                rest: Rest::of(rest, groups),
            }
        };
        Self {
            boots: boots.into_iter().map(select).collect(),
        }
    }

    /// How many events are not shown in full.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.boots.iter().map(|boot| boot.rest.events).sum()
    }

    pub fn entries(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.boots.iter().flat_map(|boot| &boot.entries)
    }
}

impl<'a> Rest<'a> {
    fn of(entries: Vec<Entry<'a>>, most: usize) -> Self {
        let events = entries
            .into_iter()
            .flat_map(|entry| std::iter::once(entry.event).chain(entry.again));
        let events: Vec<_> = events.collect();
        let mut groups = groups(&events);
        groups.sort_by_key(|group| {
            (
                rank(group.first),
                std::cmp::Reverse(group.count),
                group.first.seq,
            )
        });
        let more = groups.len().saturating_sub(most);
        groups.truncate(most);
        Self {
            events: events.len(),
            groups,
            more,
        }
    }
}

impl Group<'_> {
    /// How many events it is, and from when to when.
    #[must_use]
    pub fn extent(&self) -> String {
        let (first, last) = (self.first.time, self.last.time);
        let first = format::clock(first);
        if self.events == 1 {
            return format!("once, {first}");
        }
        let events = format::number(self.events, "event");
        format!("{events}, {first} to {}", format::clock(last))
    }
}

/// The entries to show, by the sequence of their event.
fn wanted(boots: &[Vec<Entry<'_>>], most: usize) -> HashSet<u64> {
    let mut ranked = Vec::new();
    for entries in boots {
        let mut known = HashMap::new();
        for entry in entries {
            let times = known.entry(group_key(entry.event));
            let times: &mut usize = times.or_default();
            ranked.push((*times > 0, rank(entry.event), *times, entry.event.seq));
            *times += 1;
        }
    }
    ranked.sort_unstable();
    ranked.truncate(most);
    ranked.into_iter().map(|(.., seq)| seq).collect()
}

/// What says most is least.
fn rank(event: &Event) -> u8 {
    let taint = event.taint.as_ref();
    let first = taint.and_then(|taint| taint.first) != Some(false);
    let module = event.module.as_ref();
    let flagged = module.is_some_and(|module| module.taints.is_some());
    match event.kind {
        Kind::Taint if first => 0,
        Kind::MaskWrite => 0,
        Kind::Lost | Kind::Coverage | Kind::ModuleLoadFailed => 1,
        Kind::ModuleLoad | Kind::ModuleUnload if flagged => 2,
        Kind::Taint => 3,
        Kind::ModuleLoad | Kind::ModuleUnload => 4,
    }
}
