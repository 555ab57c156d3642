//! Where events go when they are recorded: the history first, then the journal and the readers of the socket.
//!
//! In: events of the monitor. Out: rows, journal entries, lines on the socket. At its start it records what an earlier
//! monitor could not: how that ended, and what a crashed kernel left. What takes time is added to an event when it is
//! on the disk: the journal and the readers wait for it a moment, and get the event once more where it comes later. While
//! the history cannot be written, the journal gets each event without a number, and the socket gets it when it is in the
//! history.

mod addresses;
mod queue;
mod renewed;
mod storage;

use std::{
    future::pending,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    coverage, crash,
    event::{CoverageState, Event},
    journal_queue::JournalQueue,
    kernel::identity::{Identity, boottime_ns, wall_clock},
    socket::{Feed, Listener, Request},
    store::Limits,
    watcher::{Completer, InOrder},
};
use storage::{Appended, Storage};

/// How long events wait at most while old ones are removed.
const PRUNING: Duration = Duration::from_millis(100);
/// Readers that wait for the answer to `sync`.
pub(crate) type Requests = tokio::sync::mpsc::Receiver<Request>;

/// Where an event goes besides the history.
pub(crate) struct Outlets<'a> {
    pub(crate) socket: &'a Path,
    /// The group that may connect to the socket.
    pub(crate) group: &'a str,
    pub(crate) journal: bool,
}

/// How long the end waits for what is added to the last events.
const LAST_WAIT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);

/// Where a recorded event goes, the history first.
pub(crate) struct Recorder {
    storage: Storage,
    feed: Feed,
    journal: JournalQueue,
    /// Recorded events on their way to the journal and the readers.
    passing: InOrder<Completer, Appended>,
    boot_id: String,
    /// What an earlier monitor could not record is recorded.
    has_begun: bool,
    goes_on: bool,
}

impl Recorder {
    /// Opens the history and the socket; one recorder for each history. `goes_on`: the hooks of the last recorder of this
    /// boot stayed attached, so what it monitored did not end with it.
    pub(crate) fn new(
        db: &Path,
        outlets: &Outlets,
        completer: Completer,
        goes_on: bool,
    ) -> Result<Self> {
        // Who finds the socket finds the history, too.
        let storage = Storage::start(db)?;
        let mut recorder = Self {
            feed: Feed::listen(outlets.socket, outlets.group)?,
            storage,
            journal: if outlets.journal {
                JournalQueue::begin()
            } else {
                JournalQueue::off()
            },
            passing: InOrder::new(completer),
            boot_id: Identity::read()?.boot_id,
            has_begun: false,
            goes_on,
        };
        recorder.retry();
        Ok(recorder)
    }

    /// Readers of the socket that ask whether all is recorded; once.
    pub(crate) fn take_requests(&mut self) -> Option<Requests> {
        self.feed.take_requests()
    }

    /// Calls this with each event when it is in the history.
    pub(crate) fn listen_in(&mut self, listener: Listener) {
        self.feed.listen_in(listener);
    }

    /// Events that wait for the history to be written.
    pub(crate) fn waiting(&self) -> usize {
        self.storage.waiting()
    }

    /// Writes an event to the history, and passes it on; not again if the history has it.
    ///
    /// It is on the disk before anything is added that takes time: the load of a module may be the kernel's last.
    pub(crate) fn record(&mut self, mut event: Event) {
        addresses::mask(&mut event);
        let appended = self.storage.append(&mut event, false);
        match appended {
            Appended::Known => return,
            Appended::Waits => {
                // Those before it are in the history.
                self.passing.hurry();
                self.pass_on();
                self.storage.wait(event.clone(), true);
            }
            Appended::Written | Appended::Refused => {}
        }
        self.passing.push(event, appended);
        self.pass_on();
        if appended == Appended::Waits {
            self.retry();
        }
    }

    /// Sends events to the journal and the socket, those that are whole or have waited long enough; the history gets what
    /// was added to them.
    fn pass_on(&mut self) {
        while let Some(mut passed) = self.passing.pass() {
            if passed.added {
                addresses::mask(&mut passed.event);
                if passed.about != Appended::Refused {
                    self.storage.amend(&passed.event);
                }
            }
            self.journal.send(&passed.event);
            let is_amended = passed.is_amendment || passed.about == Appended::Waits && passed.added;
            match passed.about {
                Appended::Refused => {}
                // Readers get it when it is in the history; it may be by now.
                Appended::Waits if !is_amended || passed.event.seq == 0 => {}
                _ if is_amended => self.feed.amend(&passed.event),
                _ => self.feed.publish(&passed.event),
            }
        }
    }

    /// Until the journal and the readers have all that is recorded: no longer than one event waits for what is added to it.
    pub(crate) async fn all_passed_on(&mut self) {
        self.pass_on();
        while self.passing.holds_some() {
            self.passing.due().await;
            self.pass_on();
        }
    }

    /// Sends what an earlier monitor left to the journal and the socket, or lets it wait.
    fn pass_on_first(&mut self, event: Event, appended: Appended) {
        match appended {
            Appended::Known => {}
            Appended::Waits => self.storage.wait(event, false),
            Appended::Refused => self.journal.send(&event),
            Appended::Written => {
                self.journal.send(&event);
                self.feed.publish(&event);
            }
        }
    }

    /// Why the history cannot be written, if it cannot, and how many events wait.
    pub(crate) fn trouble(&self) -> Option<(&str, usize)> {
        Some((self.storage.trouble()?, self.storage.waiting()))
    }

    /// Whether more events can be taken; if not, the ring buffer keeps them.
    pub(crate) fn has_room(&self) -> bool {
        self.storage.has_room()
    }

    /// Until there is something to do: events to be passed on, or a history to be tried again.
    pub(crate) async fn due(&self) {
        let retry = async {
            match self.storage.due() {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = retry => {}
            () = self.passing.due() => {}
        }
    }

    /// Does what is due.
    pub(crate) fn turn(&mut self) {
        self.pass_on();
        if self.storage.due().is_some_and(|due| due <= Instant::now()) {
            self.retry();
        }
    }

    /// Does what can be done now so that the history has what waits; the journal gets what still has to wait.
    fn retry(&mut self) {
        if self.storage.reopen() {
            if !self.has_begun {
                self.has_begun = true;
                self.import_crashes();
                self.end_of_last();
            }
            for waiting in self.storage.drain() {
                self.passing.number(&waiting.write.event);
                if !waiting.is_sent {
                    self.journal.send(&waiting.write.event);
                }
                self.feed.publish(&waiting.write.event);
            }
        }
        for event in self.storage.take_unsent() {
            self.journal.send(event);
        }
        self.feed.announce(self.storage.waiting());
    }

    /// Writes the monitor's heartbeat.
    pub(crate) fn heartbeat(&mut self) {
        let now = boottime_ns();
        let boot_id = &self.boot_id;
        self.storage
            .with(|store| store.heartbeat(boot_id, wall_clock(now), now));
    }

    /// Removes some of what is beyond the limits of the history.
    pub(crate) fn prune(&mut self, limits: Limits) {
        let boot_id = &self.boot_id;
        let now = wall_clock(boottime_ns());
        self.storage
            .with(|store| store.prune(boot_id, limits, now, PRUNING));
    }

    /// What the history has of this boot.
    pub(crate) fn of_this_boot(&mut self) -> Vec<Event> {
        let boot_id = &self.boot_id;
        let events = self.storage.with(|store| store.of_boot(boot_id));
        events.unwrap_or_default()
    }

    /// The last try; says what is in no history.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.pass_on();
        let began = Instant::now();
        while self.passing.holds_some() && began.elapsed() < LAST_WAIT {
            sleep(PAUSE);
            self.pass_on();
        }
        self.passing.hurry();
        self.pass_on();
        self.storage.hurry();
        while self.storage.due().is_some_and(|due| due <= Instant::now()) {
            self.retry();
        }
        let why = self.storage.trouble().unwrap_or_default().to_owned();
        match self.storage.waiting() {
            0 => Ok(()),
            waiting => Err(anyhow::anyhow!(
                "{waiting} events are not in the history, only in the journal: {why}"
            )),
        }
    }

    /// Records what is to be in the history before all that waits.
    fn record_first(&mut self, mut event: Event) {
        addresses::mask(&mut event);
        let appended = self.storage.append(&mut event, true);
        self.pass_on_first(event, appended);
    }

    /// Records what crashed kernels left; what is in the history already stays as it is.
    fn import_crashes(&mut self) {
        let dumps = crash::places::dumps();
        if dumps.is_empty() {
            return;
        }
        let boots = self.boots_before();
        for dump in &dumps {
            for event in crash::events(dump, &boots) {
                self.record_first(event);
            }
        }
    }

    /// The boots in the history, without the present one.
    fn boots_before(&mut self) -> Vec<crash::CrashedBoot> {
        let own = &self.boot_id;
        let found = self.storage.with(|store| {
            let mut boots = Vec::new();
            for boot_id in store.boots()?.into_iter().filter(|id| id != own) {
                let events = store.of_boot(&boot_id)?;
                let last = store.last_of(&boot_id)?;
                boots.extend(last.and_then(|last| crash::CrashedBoot::of(&boot_id, &events, last)));
            }
            Ok(boots)
        });
        found.unwrap_or_default()
    }

    /// Records the end of each monitor that could not record it: at its last heartbeat.
    fn end_of_last(&mut self) {
        let going_on = self.goes_on.then(|| self.boot_id.clone());
        let unended = self.storage.with(|store| {
            let mut ends = Vec::new();
            for mut last in store.unended()? {
                if going_on.is_some() && last.boot_id == going_on {
                    continue;
                }
                let boot_id = last.boot_id.clone().unwrap_or_default();
                if let Some((time, boottime_ns)) = store.last_of(&boot_id)? {
                    last.time = time;
                    last.boottime_ns = Some(boottime_ns);
                }
                ends.push(last);
            }
            Ok(ends)
        });
        for mut last in unended.unwrap_or_default() {
            last.id = format!("{}-end", last.id);
            if let Some(coverage) = &mut last.coverage {
                coverage.state = CoverageState::Ended;
                coverage::UNCLEAN.clone_into(&mut coverage.reason);
            }
            self.record_first(last);
        }
    }
}
