//! What happens in the kernel becomes events, in one task.
//!
//! In: hooks, where the kernel accepts them, else the mask and the kernel log. Out: events, among them changes of the
//! coverage, dropped records, and the end.

mod completion;
mod cross_check;
mod error;
mod events;
mod hooked;
mod in_order;
mod log;
mod polled;
mod resume;
mod tally;

use crate::{
    baseline::Past,
    event::{Event, Hook},
    kernel::identity::Identity,
    probe::{Without, pins::Pins},
};
pub use completion::Completer;
pub use error::Error;
use hooked::Hooked;
pub use in_order::{Complete, InOrder};
pub use polled::LIMITS;
use polled::Polled;

/// Monitors the kernel by hooks, or as well as it can be done without.
pub enum Watcher {
    Hooked(Box<Hooked>),
    Polled(Box<Polled>),
}

impl Watcher {
    /// Starts with hooks; the first event is that the coverage began.
    ///
    /// With `pins` the hooks outlive this process, and those that an earlier one left there are taken over.
    pub fn hooked(without: &Without, pins: Option<&Pins>) -> Result<Self, Error> {
        let identity = Identity::read().map_err(Error::Identity)?;
        let started = Hooked::start(identity, without, pins)?;
        Ok(Self::Hooked(Box::new(started)))
    }

    /// Whether the hooks are those of an earlier process, which never were detached.
    #[must_use]
    pub fn is_adopted(&self) -> bool {
        match self {
            Self::Hooked(watcher) => watcher.is_adopted(),
            Self::Polled(_) => false,
        }
    }

    /// Goes on where an earlier process ended, if its hooks were taken over; `recorded`: the events of this boot that are
    /// in the history.
    pub fn resume(&mut self, recorded: &[Event]) -> Result<(), Error> {
        match self {
            Self::Hooked(watcher) => watcher.resume(recorded),
            Self::Polled(_) => Ok(()),
        }
    }

    /// Whether the history has all events that were handed out; until it is said otherwise, it has.
    pub fn set_recorded(&mut self, is_recorded: bool) {
        if let Self::Hooked(watcher) = self {
            watcher.set_recorded(is_recorded);
        }
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

    /// What adds to events that were handed out what takes time, such as what the file of a module says.
    #[must_use]
    pub fn completer(&self) -> Completer {
        match self {
            Self::Hooked(watcher) => watcher.completer(),
            Self::Polled(_) => Completer::default(),
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
