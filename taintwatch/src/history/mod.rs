//! What happened over the boots of a machine: the model that every report is drawn from.
//!
//! In: events as the store keeps them, and the daemon's heartbeats. Out: boots in order, each with its flags, modules,
//! coverage, losses and writes to the mask. Pure.

pub mod diff;
pub mod entry;
mod flag;
mod losses;
mod module;
mod order;
mod select;

use std::collections::HashMap;

use jiff::SignedDuration;

use crate::{
    coverage::{self, BootCoverage, Now, Stamp},
    event::{CoverageState, Event, Kind, Mask, Source, Time},
    store::{Excerpt, Omitted},
    taint::{
        flags::VENDOR,
        release,
        tables::{LINUX, Table},
    },
};
pub use diff::{Diff, Identity, Side, diff};
pub use entry::{Entry, entries};
pub use flag::{Flag, Key, Reason, count, mark};
pub use losses::Losses;
pub use module::{Module, Span};
pub use select::{Unknown, select};

/// The wall clock drifts against the boot's clock; a difference of so much means that it was set.
const SET: SignedDuration = SignedDuration::from_secs(2);

/// Whether the daemon runs, and when it last did: what is known beside the events.
#[derive(Debug, Default)]
pub struct Liveness {
    /// The last heartbeat of each boot's daemon.
    pub heartbeats: HashMap<String, Stamp>,
    /// The boot that runs, and what its clocks say.
    pub current: Option<(String, Now)>,
    /// The events come from elsewhere: whether the newest boot goes on is not known.
    pub elsewhere: bool,
}

/// Boots, oldest first; at the end the events whose boot is not known.
#[derive(Debug)]
pub struct History<'a> {
    pub boots: Vec<BootHistory<'a>>,
}

/// What the history has of one boot of the machine.
#[derive(Debug)]
pub struct BootHistory<'a> {
    pub id: Option<&'a str>,
    pub host: Option<&'a str>,
    /// The kernel release, as `uname -r` prints it; more than one only when an event is wrong.
    pub releases: Vec<&'a str>,
    /// Every event, in order; those of an excerpt where the history is of one.
    pub events: Vec<&'a Event>,
    /// How many events the history has of it.
    pub recorded: u64,
    /// The first and the last time that anything is known of.
    pub from: Stamp,
    pub to: Stamp,
    pub coverage: BootCoverage,
    pub end: End,
    pub flags: Vec<Flag<'a>>,
    pub modules: Vec<Module<'a>>,
    /// When the wall clock was set.
    pub clock_changes: Vec<ClockChange>,
}

/// How a boot ended, as far as its events show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is the boot that runs.
    Running,
    /// The daemon recorded its end.
    Clean,
    /// No end was recorded: the daemon was killed or the power was lost.
    Unclean,
    /// No daemon ran: all that is known was found later.
    NotMonitored,
    /// The record goes no further: it was made elsewhere while the boot went on, or ends with it.
    Open,
}

/// The wall clock was set between two events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockChange {
    /// The last event before, and the first after.
    pub before: Stamp,
    pub after: Stamp,
    pub by: SignedDuration,
}

impl<'a> History<'a> {
    #[must_use]
    pub fn of(events: &'a [Event], liveness: &Liveness) -> Self {
        Self::of_events(events, &Omitted::default(), liveness)
    }

    /// Of a part of the events, and of what the others come to.
    #[must_use]
    pub fn of_excerpt(excerpt: &'a Excerpt, liveness: &Liveness) -> Self {
        Self::of_events(&excerpt.events, &excerpt.omitted, liveness)
    }

    fn of_events(events: &'a [Event], omitted: &Omitted, liveness: &Liveness) -> Self {
        let groups = order::boots(events);
        let newest = groups.iter().rev().find_map(|group| group.id);
        let newest = newest.filter(|_| liveness.elsewhere);
        let boots = groups.into_iter().filter_map(|group| {
            let may_run = group.id.is_some() && group.id == newest;
            BootHistory::of(group.id, group.events, omitted, liveness, may_run)
        });
        Self {
            boots: boots.collect(),
        }
    }
}

impl<'a> BootHistory<'a> {
    fn of(
        id: Option<&'a str>,
        events: Vec<&'a Event>,
        omitted: &Omitted,
        liveness: &Liveness,
        may_run: bool,
    ) -> Option<Self> {
        let (first, last) = (events.first()?, events.last()?);
        let current = liveness.current.as_ref();
        let current = current.filter(|(current, _)| Some(current.as_str()) == id);
        let heartbeat = id.and_then(|id| liveness.heartbeats.get(id)).copied();
        let monitored = last_monitored(&events, heartbeat);
        let end = match end(&events, current.is_some()) {
            End::Unclean if may_run && !is_ended(&events) => End::Open,
            end => end,
        };
        let now = current.map_or_else(
            || {
                let last = Stamp::of(last);
                Now {
                    until: monitored.map_or(last, |at| at.max(last)),
                    running: end == End::Open,
                    monitored,
                }
            },
            |(_, now)| Now { monitored, ..*now },
        );
        let releases = releases(&events);
        Some(Self {
            id,
            host: events.iter().find_map(|event| event.host.as_deref()),
            from: Stamp::of(first),
            to: now.until,
            end,
            coverage: coverage::of(events.iter().copied(), now),
            flags: flag::of(&events, omitted, kernel(&events, &releases)),
            modules: module::of(&events, omitted),
            clock_changes: omitted
                .clock_changes(id)
                .map_or_else(|| clock_changes(&events), known_changes),
            recorded: omitted
                .events(id)
                .saturating_add(events.len().try_into().unwrap_or(u64::MAX)),
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

    /// The events that record a loss.
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

    /// What this boot left behind when the kernel crashed.
    #[must_use]
    pub fn crash(&self) -> Option<&'a Event> {
        let left = |event: &&Event| {
            let cause = event.cause.as_ref();
            cause.is_some_and(|cause| cause.sources.contains(&Source::Crash))
        };
        self.events.iter().copied().find(left)
    }
}

/// The table of the kernel's vendor: as its flags were recorded, or as its release shows.
fn kernel(events: &[&Event], releases: &[&str]) -> &'static Table {
    let mut vendors = events
        .iter()
        .filter_map(|event| event.taint.as_ref()?.vendor.as_deref());
    let own =
        vendors.find_map(|vendor| Table::named(vendor).filter(|table| table.vendor != VENDOR));
    let shown = || releases.iter().copied().find_map(release::table_of);
    own.or_else(shown).unwrap_or(LINUX)
}

/// The last time that the daemon of a boot is known to have run: by what it recorded itself, or by a heartbeat.
fn last_monitored(events: &[&Event], heartbeat: Option<Stamp>) -> Option<Stamp> {
    let own = events.iter().rev().find(|event| !order::is_import(event));
    let own = own.map(|event| Stamp::of(event));
    own.into_iter().chain(heartbeat).reduce(Stamp::max)
}

fn end(events: &[&Event], is_current: bool) -> End {
    let coverage = || events.iter().filter_map(|event| event.coverage.as_ref());
    if is_current {
        End::Running
    } else if coverage().next().is_none() {
        End::NotMonitored
    } else if coverage::was_cut_off(coverage()) {
        End::Unclean
    } else {
        End::Clean
    }
}

/// The last that its daemon recorded of the coverage is an end.
fn is_ended(events: &[&Event]) -> bool {
    let mut coverage = events
        .iter()
        .rev()
        .filter_map(|event| event.coverage.as_ref());
    coverage
        .next()
        .is_some_and(|coverage| coverage.state == CoverageState::Ended)
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

/// Only by events that were recorded when they happened: the times of imports are computed.
fn clock_changes(events: &[&Event]) -> Vec<ClockChange> {
    let mut changes = Vec::new();
    let mut before: Option<(Time, Stamp)> = None;
    for event in events.iter().filter(|event| !order::is_import(event)) {
        let after = Stamp::of(event);
        let Some(boot) = after.boot() else {
            continue;
        };
        if let Some((last, before)) = before {
            let by = boot.time.0.duration_since(last.0);
            if by.abs() >= SET {
                changes.push(ClockChange { before, after, by });
            }
        }
        before = Some((boot.time, after));
    }
    changes
}

/// As they were noted when the events were recorded.
fn known_changes(changes: &[(Stamp, Stamp)]) -> Vec<ClockChange> {
    let change = |&(before, after): &(Stamp, Stamp)| {
        let began = |at: Stamp| at.boot().map(|boot| boot.time.0);
        let by = began(after)?.duration_since(began(before)?);
        Some(ClockChange { before, after, by })
    };
    changes.iter().filter_map(change).collect()
}

#[cfg(test)]
pub(crate) mod tests;
