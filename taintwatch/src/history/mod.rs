//! What happened over the boots of a machine: the model that every report is drawn from.
//!
//! In: events as the store keeps them, and what is known beside them of the watch's life. Out: boots in order, each
//! with its flags, modules, coverage, losses and writes to the mask. Pure.

pub mod diff;
mod entry;
mod flag;
mod module;
mod order;
mod select;

use std::collections::HashMap;

use jiff::SignedDuration;

use crate::{
    coverage::{self, BootCoverage, Now, Stamp},
    event::{Event, Kind, Mask, Source, Time},
    taint::{
        flags::VENDOR,
        release,
        tables::{LINUX, Table},
    },
};
pub use diff::{Diff, Identity, Side, diff};
pub use entry::{Entry, entries};
pub use flag::{Flag, Reason, count, mark};
pub use module::{Module, Span};
pub use select::{Unknown, select};

/// The wall clock drifts against the boot's clock; this far it was set.
const SET: SignedDuration = SignedDuration::from_secs(2);

/// What is known beside the events.
#[derive(Debug, Default)]
pub struct Liveness {
    /// The last sign of life of each boot's watch.
    pub alive: HashMap<String, Stamp>,
    /// The boot that runs, and what its clocks say.
    pub current: Option<(String, Now)>,
}

/// Boots, oldest first; at the end the events whose boot is not known.
#[derive(Debug)]
pub struct History<'a> {
    pub boots: Vec<Boot<'a>>,
}

/// One boot of the machine.
#[derive(Debug)]
pub struct Boot<'a> {
    pub id: Option<&'a str>,
    pub host: Option<&'a str>,
    /// The kernel, as `uname -r` says it; more than one only when somebody lied.
    pub releases: Vec<&'a str>,
    /// Every event, in order.
    pub events: Vec<&'a Event>,
    /// The first and the last moment that anything is known of.
    pub from: Stamp,
    pub to: Stamp,
    pub cover: BootCoverage,
    pub end: End,
    pub flags: Vec<Flag<'a>>,
    pub modules: Vec<Module<'a>>,
    pub jumps: Vec<Jump>,
}

/// How a boot ended, as far as its watch tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is the boot that runs.
    Running,
    /// The watch said that it ends.
    Clean,
    /// The watch ended without a word.
    Unclean,
    /// No watch: all that is known was found later.
    Unwatched,
}

/// The wall clock was set between two events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    /// The last event before, and the first after.
    pub before: Stamp,
    pub after: Stamp,
    pub by: SignedDuration,
}

impl<'a> History<'a> {
    #[must_use]
    pub fn of(events: &'a [Event], liveness: &Liveness) -> Self {
        let groups = order::boots(events).into_iter();
        let boots = groups.filter_map(|group| Boot::of(group.id, group.events, liveness));
        Self {
            boots: boots.collect(),
        }
    }
}

impl<'a> Boot<'a> {
    fn of(id: Option<&'a str>, events: Vec<&'a Event>, liveness: &Liveness) -> Option<Self> {
        let (first, last) = (events.first()?, events.last()?);
        let current = liveness.current.as_ref();
        let current = current.filter(|(current, _)| Some(current.as_str()) == id);
        let alive = id.and_then(|id| liveness.alive.get(id)).copied();
        let watched = watched(&events, alive);
        let now = current.map_or_else(
            || {
                let last = Stamp::of(last);
                Now {
                    until: watched.map_or(last, |watched| watched.max(last)),
                    running: false,
                    watched,
                }
            },
            |(_, now)| Now { watched, ..*now },
        );
        let releases = releases(&events);
        Some(Self {
            id,
            host: events.iter().find_map(|event| event.host.as_deref()),
            from: Stamp::of(first),
            to: now.until,
            end: end(&events, current.is_some()),
            cover: coverage::of(events.iter().copied(), now),
            flags: flag::of(&events, kernel(&events, &releases)),
            modules: module::of(&events),
            jumps: jumps(&events),
            releases,
            events,
        })
    }

    /// Every flag that this boot had at any time.
    #[must_use]
    pub fn mask(&self) -> Mask {
        self.flags
            .iter()
            .fold(Mask(0), |mask, flag| mask.with(flag.bit))
    }

    /// Every flag of the mask, as its letter or its number.
    #[must_use]
    pub fn marks(&self) -> String {
        self.flags.iter().map(Flag::mark).collect()
    }

    /// Records that could not be handed over.
    pub fn losses(&self) -> impl Iterator<Item = &'a Event> {
        self.of_kind(Kind::Lost)
    }

    /// Writes to the mask past the kernel's own functions.
    pub fn mask_writes(&self) -> impl Iterator<Item = &'a Event> {
        self.of_kind(Kind::MaskWrite)
    }

    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &'a Event> {
        let events = self.events.iter().copied();
        events.filter(move |event| event.kind == kind)
    }

    /// What this boot left behind when the kernel died, or when it stumbled and went on.
    #[must_use]
    pub fn crash(&self) -> Option<&'a Event> {
        let left = |event: &&Event| {
            let cause = event.cause.as_ref();
            cause.is_some_and(|cause| cause.sources.contains(&Source::Crash))
        };
        self.events.iter().copied().find(left)
    }
}

/// Whose kernel it was: as its flags were recorded, or as its release shows.
fn kernel(events: &[&Event], releases: &[&str]) -> &'static Table {
    let mut vendors = events
        .iter()
        .filter_map(|event| event.taint.as_ref()?.vendor.as_deref());
    let own =
        vendors.find_map(|vendor| Table::named(vendor).filter(|table| table.vendor != VENDOR));
    let shown = || releases.iter().copied().find_map(release::table_of);
    own.or_else(shown).unwrap_or(LINUX)
}

/// The last sign of life of a boot's watch: what it recorded itself, or that it was alive.
fn watched(events: &[&Event], alive: Option<Stamp>) -> Option<Stamp> {
    let own = events.iter().rev().find(|event| !order::is_import(event));
    let own = own.map(|event| Stamp::of(event));
    own.into_iter().chain(alive).reduce(Stamp::max)
}

fn end(events: &[&Event], is_current: bool) -> End {
    let coverage = || events.iter().filter_map(|event| event.coverage.as_ref());
    if is_current {
        End::Running
    } else if coverage().next().is_none() {
        End::Unwatched
    } else if coverage::was_cut_off(coverage()) {
        End::Unclean
    } else {
        End::Clean
    }
}

fn releases<'a>(events: &[&'a Event]) -> Vec<&'a str> {
    let mut releases = Vec::new();
    for event in events {
        let release = event
            .coverage
            .as_ref()
            .and_then(|coverage| coverage.release.as_deref());
        releases.extend(release.filter(|release| !releases.contains(release)));
    }
    releases
}

/// Only what was stamped when it happened: the times of imports are worked out later.
fn jumps(events: &[&Event]) -> Vec<Jump> {
    let mut jumps = Vec::new();
    let mut before: Option<(Time, Stamp)> = None;
    for event in events.iter().filter(|event| !order::is_import(event)) {
        let after = Stamp::of(event);
        let Some(boot) = after.boot() else {
            continue;
        };
        if let Some((last, before)) = before {
            let by = boot.time.0.duration_since(last.0);
            if by.abs() >= SET {
                jumps.push(Jump { before, after, by });
            }
        }
        before = Some((boot.time, after));
    }
    jumps
}

#[cfg(test)]
pub(crate) mod tests;
