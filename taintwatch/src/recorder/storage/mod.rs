//! The history as the recorder sees it: whatever happens to its file, the monitoring goes on.
//!
//! In: events. Out: they are in the history, or wait until it can be written again. An error is said once, with what to
//! do, and again when it is over; it is tried again after a pause that grows.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{
    queue::{Queue, Waiting},
    renewed,
};
use crate::{
    event::{CoverageState, Event},
    store::{
        Error, Remedy, Store, Write,
        lock::{self, Lock},
        own_name,
    },
};

/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Events of one transaction when many wait, and how long they are written before others have their turn.
const AT_ONCE: usize = 64;
const TURN: Duration = Duration::from_millis(200);

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Appended {
    Written,
    /// The history has it already.
    Known,
    /// It has to wait.
    Waits,
    /// It cannot be written, and others can.
    Refused,
}

/// The history cannot be written.
struct Failing {
    said: String,
    remedy: Remedy,
    /// What became of the file, where another one has to take its place.
    lost: Option<&'static str>,
    pause: Duration,
    next: Instant,
    /// Events that waited so far.
    waited: usize,
}

pub(super) struct Storage {
    path: PathBuf,
    store: Option<Store>,
    lock: Option<Lock>,
    queue: Queue,
    failing: Option<Failing>,
    /// The file may be moved away: a recorder wrote it.
    is_own: bool,
    was_open: bool,
    /// The last change of the coverage, with which another history has to begin.
    coverage: Option<Event>,
}

impl Storage {
    /// Opens the history. Only two things keep a recorder from its start: another recorder, and a file of somebody else.
    pub(super) fn start(path: &Path) -> Result<Self, Error> {
        let mut storage = Self {
            path: path.to_owned(),
            store: None,
            lock: None,
            queue: Queue::default(),
            failing: None,
            is_own: lock::is_own(path),
            was_open: false,
            coverage: None,
        };
        match storage.open(path) {
            Ok(()) => {}
            Err(error @ Error::Taken(_)) => return Err(error),
            Err(error @ Error::Broken { .. }) if !storage.is_own => return Err(error),
            Err(error) => storage.fail(&error),
        }
        storage.is_own = true;
        storage.reopen();
        Ok(storage)
    }

    fn open(&mut self, path: &Path) -> Result<(), Error> {
        if self.lock.is_none() {
            self.lock = Some(lock::of_history(&self.path)?);
        }
        self.store = Some(Store::create(path)?);
        Ok(())
    }

    /// Whether more events can be taken.
    pub(super) fn has_room(&self) -> bool {
        self.queue.has_room()
    }

    /// How many events wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Why the history cannot be written, if it cannot.
    pub(super) fn trouble(&self) -> Option<&str> {
        let failing = self.failing.as_ref();
        failing.map(|failing| failing.said.as_str())
    }

    /// Writes an event behind those that wait, or `ahead` of them.
    pub(super) fn append(&mut self, event: &mut Event, ahead: bool) -> Appended {
        let coverage = event.coverage.as_ref();
        if coverage.is_some_and(|coverage| coverage.state != CoverageState::Ended) {
            self.coverage = Some(event.clone());
        }
        let may = self.failing.is_none() && self.queue.is_empty() || ahead;
        let Some(store) = self.store.as_mut().filter(|_| may) else {
            return Appended::Waits;
        };
        match store.append(event) {
            Ok(true) => Appended::Written,
            Ok(false) => Appended::Known,
            Err(error) if error.remedy() == Remedy::Skip => {
                refused(event, &error);
                Appended::Refused
            }
            Err(error) => {
                self.fail(&error);
                Appended::Waits
            }
        }
    }

    /// Writes what was added to an event that is in the history, or waits for it.
    pub(super) fn amend(&mut self, event: &Event) {
        if event.seq == 0 {
            return self.queue.replace(event);
        }
        let Some(store) = self.store.as_mut().filter(|_| self.failing.is_none()) else {
            return self.queue.push(Write::amendment(event.clone()), true);
        };
        if let Err(error) = store.amend(event) {
            self.fail(&error);
            self.queue.push(Write::amendment(event.clone()), true);
        }
    }

    /// Lets an event wait; `is_sent`: the journal gets it from elsewhere.
    pub(super) fn wait(&mut self, event: Event, is_sent: bool) {
        self.queue.push(Write::event(event), is_sent);
        if let Some(failing) = &mut self.failing {
            failing.waited += 1;
        }
    }

    /// Those that wait and are not in the journal.
    pub(super) fn take_unsent(&mut self) -> impl Iterator<Item = &Event> {
        self.queue.take_unsent()
    }

    /// Asks the history, or does to it what is no event; `None` where that is not possible now.
    pub(super) fn with<T>(
        &mut self,
        what: impl FnOnce(&mut Store) -> Result<T, Error>,
    ) -> Option<T> {
        let failing = self.failing.as_ref();
        let may = failing.is_none_or(|failing| failing.remedy == Remedy::Wait);
        let store = self.store.as_mut().filter(|_| may)?;
        match what(store) {
            Ok(done) => {
                store.warn_of_unread();
                Some(done)
            }
            Err(error) => {
                self.fail(&error);
                None
            }
        }
    }

    /// When the next try is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.failing.as_ref().map(|failing| failing.next)
    }

    /// Does what can be done about the error, when that is due. Whether there is a history to write to.
    pub(super) fn reopen(&mut self) -> bool {
        while let Some(failing) = self.failing.as_ref() {
            if failing.next > Instant::now() {
                return false;
            }
            if let Err(error) = self.remedy(failing.remedy) {
                self.fail(&error);
                continue;
            }
            break;
        }
        self.was_open |= self.store.is_some();
        if let Some(failing) = &mut self.failing {
            // What is left to do is to write to it.
            failing.remedy = Remedy::Wait;
        }
        self.store.is_some()
    }

    /// Makes the next try due.
    pub(super) fn hurry(&mut self) {
        if let Some(failing) = &mut self.failing {
            failing.next = Instant::now();
        }
    }

    fn remedy(&mut self, remedy: Remedy) -> Result<(), Error> {
        let mut path = self.path.clone();
        match remedy {
            Remedy::Wait | Remedy::Skip if self.store.is_some() => return Ok(()),
            Remedy::Wait | Remedy::Skip => {}
            Remedy::Reopen => {
                self.store = None;
                self.lock = None;
            }
            Remedy::SetAside => {
                let store = self.store.take();
                let damaged = store
                    .as_ref()
                    .map_or(path.clone(), |it| it.path().to_owned());
                let name = crate::store::set_aside(&damaged, store)?;
                log::error!(
                    "the damaged history is kept as {}, and a new one is begun; `sqlite3 FILE .recover` may save what \
                     it holds",
                    name.display()
                );
            }
            Remedy::Beside => {
                path = own_name(&path);
                log::error!(
                    "events are recorded in {}: `--db` reads it; the newer taintwatch records to the history again",
                    path.display()
                );
            }
        }
        self.open(&path)?;
        self.begin_anew()
    }

    /// Another file than before begins with the coverage as it stands.
    fn begin_anew(&mut self) -> Result<(), Error> {
        let (Some(store), true) = (&self.store, self.was_open) else {
            return Ok(());
        };
        let lost = self.failing.as_ref().and_then(|failing| failing.lost);
        if lost.is_some() || store.last_seq()? == 0 {
            let why = lost.unwrap_or("the one before is gone");
            let event = self
                .coverage
                .as_ref()
                .map(|last| renewed::coverage(last, why));
            if let Some(event) = event {
                self.queue.push_first(event);
            }
        }
        Ok(())
    }

    /// Writes what waits, for a while. What was written, in order.
    pub(super) fn drain(&mut self) -> Vec<Waiting> {
        let mut written = Vec::new();
        let began = Instant::now();
        let mut at_once = AT_ONCE;
        while let (Some(store), false) = (self.store.as_mut(), self.queue.is_empty()) {
            if began.elapsed() > TURN {
                // The rest can be written at once, after what else there is to do.
                self.hurry();
                return written;
            }
            let mut taken = self.queue.take(at_once);
            match store.write(taken.iter_mut().map(|waiting| &mut waiting.write)) {
                Ok(()) => written.extend(taken),
                Err(error) if error.remedy() == Remedy::Skip && at_once > 1 => {
                    // One of them.
                    at_once = 1;
                    self.queue.put_back(taken);
                }
                Err(error) if error.remedy() == Remedy::Skip => {
                    for waiting in &taken {
                        refused(&waiting.write.event, &error);
                    }
                }
                Err(error) => {
                    self.queue.put_back(taken);
                    self.fail(&error);
                    return written;
                }
            }
        }
        if let Some(failing) = self.failing.take_if(|_| self.store.is_some()) {
            let waited = failing.waited;
            log::warn!("the history is written again: {waited} events that waited are in it");
        }
        written
    }

    /// Says what is wrong, unless that is said, and when it is tried again.
    fn fail(&mut self, error: &Error) {
        let (remedy, lost) = (error.remedy(), error.lost());
        let said = error.for_writer();
        let before = self.failing.take();
        if before.as_ref().is_none_or(|before| before.said != said) {
            log::error!(
                "the history cannot be written: {said}. Monitoring goes on: events go to the journal, and wait here"
            );
        }
        // Another name or another file may serve at once, and once.
        let at_once = before.is_none() && (lost.is_some() || remedy == Remedy::Beside);
        let pause = before
            .as_ref()
            .map_or(PAUSE, |before| (before.pause * 2).min(LONGEST_PAUSE));
        self.failing = Some(Failing {
            said,
            remedy,
            lost: lost.or_else(|| before.as_ref().and_then(|before| before.lost)),
            pause,
            next: Instant::now() + if at_once { Duration::ZERO } else { pause },
            waited: before.map_or(0, |before| before.waited),
        });
    }
}

fn refused(event: &Event, error: &Error) {
    log::error!(
        "event {} is not in the history, only in the journal: {error}",
        event.id
    );
}

#[cfg(test)]
mod tests;
