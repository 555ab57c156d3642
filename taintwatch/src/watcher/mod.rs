//! What happens becomes events, one way, in one task.
//!
//! In: hooks, where the kernel takes them, else the mask and the kernel log. Out: events, among them the
//! cover, its losses and its end.

mod cross_check;
mod hooked;
mod log;
mod polled;
mod tally;

use std::io;

use crate::{
    attribute::Attributor,
    baseline::{self, Began, Past, evidence},
    event::{Coverage, CoverageState, Event, Hook, Kind, Mask},
    kernel::{
        self,
        identity::{Identity, boottime_ns, wall_clock},
        log_clock, os_release,
    },
    probe::{self, Without},
};
use hooked::Hooked;
use polled::Polled;

/// Watches by hooks, or as well as it can be done without.
pub enum Watcher {
    Hooked(Box<Hooked>),
    Polled(Box<Polled>),
}

/// Why a watch did not begin, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Probe(#[from] probe::Error),
    #[error("read who this machine is: {0}")]
    Identity(io::Error),
    #[error("wait for the ring buffer: {0}")]
    Ring(io::Error),
    #[error("read the kernel log: {0}")]
    Log(io::Error),
    #[error(transparent)]
    Mask(#[from] kernel::mask::Error),
}

impl Error {
    /// The hooks that were tried, where none could be had.
    #[must_use]
    pub fn refused(&self) -> &[Hook] {
        match self {
            Self::Probe(probe::Error::NoHook(hooks)) => hooks,
            _ => &[],
        }
    }
}

impl Watcher {
    /// Begins to watch by hooks; the first event tells of the cover.
    pub fn hooked(without: &Without) -> Result<Self, Error> {
        let identity = Identity::read().map_err(Error::Identity)?;
        Ok(Self::Hooked(Box::new(Hooked::begin(identity, without)?)))
    }

    /// Begins to watch without hooks, since they cannot be had for `reason`.
    pub fn polled(reason: &Error) -> Result<Self, Error> {
        let identity = Identity::read().map_err(Error::Identity)?;
        Ok(Self::Polled(Box::new(Polled::begin(identity, reason)?)))
    }

    /// Each layer, and what won.
    #[must_use]
    pub fn hooks(&self) -> &[Hook] {
        match self {
            Self::Hooked(watcher) => watcher.hooks(),
            Self::Polled(watcher) => watcher.hooks(),
        }
    }

    /// Explains what was before the watch, as far as it is not known already: events that follow the first one, the
    /// `last` of them.
    pub fn explain_before(&mut self, past: Past, last: usize) {
        match self {
            Self::Hooked(watcher) => watcher.explain_before(past, last),
            Self::Polled(watcher) => watcher.explain_before(&past, last),
        }
    }

    /// The next event; waits for one.
    pub async fn next(&mut self) -> Result<Event, Error> {
        match self {
            Self::Hooked(watcher) => watcher.next().await,
            Self::Polled(watcher) => watcher.next().await,
        }
    }

    /// What there is to tell by now, and the end of the cover.
    #[must_use]
    pub fn end(self, reason: &str) -> Vec<Event> {
        match self {
            Self::Hooked(watcher) => watcher.end(reason),
            Self::Polled(watcher) => watcher.end(reason),
        }
    }
}

/// What a running kernel tells of the time before the first of these events, which says that the watch began.
fn before(first: Option<&Event>, attributor: &Attributor, past: &Past, last: usize) -> Vec<Event> {
    let Some(first) = first else {
        return Vec::new();
    };
    let mask = first.coverage.as_ref().and_then(|coverage| coverage.mask);
    let evidence = evidence::read(mask.unwrap_or_default(), attributor.table);
    log_clock::measure();
    let began = Began {
        boottime_ns: first.boottime_ns.unwrap_or_else(boottime_ns),
        time: first.time,
        log_offset_ns: log_clock::offset_ns(),
    };
    let mut events = baseline::events(&evidence, past, attributor.identity(), began);
    events.split_off(events.len().saturating_sub(last))
}

/// An event that tells of the cover.
fn coverage(
    attributor: &Attributor,
    state: CoverageState,
    reason: String,
    hooks: &[Hook],
) -> Event {
    let mut event = attributor.blank(Kind::Coverage, boottime_ns(), "watch");
    event.coverage = Some(Coverage {
        state,
        reason,
        release: kernel::identity::release().ok(),
        mask: Some(attributor.mask),
        hooks: hooks.to_vec(),
        self_test: None,
    });
    event
}

fn attributor(identity: Identity, mask: Mask) -> Attributor {
    let mut attributor = Attributor::new(identity, mask, wall_clock);
    attributor.table = os_release::vendor_table().unwrap_or(attributor.table);
    attributor
}
