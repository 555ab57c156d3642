//! What happens in the kernel becomes events, in one task.
//!
//! In: hooks, where the kernel accepts them, else the mask and the kernel log. Out: events, among them changes of the
//! coverage, dropped records, and the end.

mod cross_check;
mod error;
mod events;
mod hooked;
mod log;
mod polled;
mod tally;

use crate::{
    baseline::Past,
    event::{Event, Hook},
    kernel::identity::Identity,
    probe::Without,
};
pub use error::Error;
use hooked::Hooked;
pub use polled::LIMITS;
use polled::Polled;

/// Monitors the kernel by hooks, or as well as it can be done without.
pub enum Watcher {
    Hooked(Box<Hooked>),
    Polled(Box<Polled>),
}

impl Watcher {
    /// Starts with hooks; the first event is that the coverage began.
    pub fn hooked(without: &Without) -> Result<Self, Error> {
        let identity = Identity::read().map_err(Error::Identity)?;
        Ok(Self::Hooked(Box::new(Hooked::start(identity, without)?)))
    }

    /// Starts without hooks, since they cannot be attached for `reason`.
    pub fn polled(reason: &Error) -> Result<Self, Error> {
        let identity = Identity::read().map_err(Error::Identity)?;
        Ok(Self::Polled(Box::new(Polled::start(identity, reason)?)))
    }

    /// Each hook, and the mechanism that was chosen for it.
    #[must_use]
    pub fn hooks(&self) -> &[Hook] {
        match self {
            Self::Hooked(watcher) => watcher.hooks(),
            Self::Polled(watcher) => watcher.hooks(),
        }
    }

    /// Adds events of the time before the start that the history does not have yet: they follow the first event, the
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

    /// The events of all that happened before this call and that `next` has not given yet.
    pub async fn caught_up(&mut self) -> Result<Vec<Event>, Error> {
        match self {
            Self::Hooked(watcher) => watcher.caught_up().await,
            Self::Polled(watcher) => watcher.caught_up().await,
        }
    }

    /// Adds to an event what takes time, such as what the file of a module says: after it was recorded, and before
    /// anybody sees it. Whether there was something to add.
    pub fn complete(&mut self, event: &mut Event) -> bool {
        match self {
            Self::Hooked(watcher) => watcher.complete(event),
            Self::Polled(_) => false,
        }
    }

    /// The events that are left, and the end of the coverage.
    #[must_use]
    pub fn end(self, reason: &str) -> Vec<Event> {
        match self {
            Self::Hooked(watcher) => watcher.end(reason),
            Self::Polled(watcher) => watcher.end(reason),
        }
    }
}
