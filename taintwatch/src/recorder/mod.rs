//! Where events go when they are recorded: the history first, then the journal and the readers of the socket.
//!
//! In: events of the monitor. Out: rows, journal entries, lines on the socket. At its start it records what an earlier
//! monitor could not: how that ended, and what a crashed kernel left. While the history cannot be written, the journal
//! gets each event at once, without a number, and the socket gets it when it is in the history.

mod addresses;
mod queue;
mod renewed;
mod storage;

use std::{future::pending, path::Path};

use anyhow::Result;

use crate::{
    baseline::Past,
    coverage, crash,
    event::{CoverageState, Event},
    journal_queue::JournalQueue,
    kernel::identity::{Identity, boottime_ns, wall_clock},
    socket::{Feed, Request},
};
use storage::{Appended, Storage};

/// Readers that wait for the answer to `sync`.
pub(crate) type Requests = tokio::sync::mpsc::Receiver<Request>;

/// Where an event goes besides the history.
pub(crate) struct Outlets<'a> {
    pub(crate) socket: &'a Path,
    /// The group that may connect to the socket.
    pub(crate) group: &'a str,
    pub(crate) journal: bool,
}

/// Where a recorded event goes, the history first.
pub(crate) struct Recorder {
    storage: Storage,
    feed: Feed,
    journal: JournalQueue,
    boot_id: String,
    /// What an earlier monitor could not record is recorded.
    has_begun: bool,
}

impl Recorder {
    /// Opens the history and the socket; one recorder for each history.
    pub(crate) fn new(db: &Path, outlets: &Outlets) -> Result<Self> {
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
            boot_id: Identity::read()?.boot_id,
            has_begun: false,
        };
        recorder.retry();
        Ok(recorder)
    }

    /// Readers of the socket that ask whether all is recorded; once.
    pub(crate) fn take_requests(&mut self) -> Option<Requests> {
        self.feed.take_requests()
    }

    /// Events that wait for the history to be written.
    pub(crate) fn waiting(&self) -> usize {
        self.storage.waiting()
    }

    /// Writes an event to the history, and sends it to the journal and the socket.
    pub(crate) fn record(&mut self, event: Event) {
        self.record_and_complete(event, |_| false);
    }

    /// Writes an event to the history, lets `complete` add what takes time, and sends it to the journal and the socket;
    /// not again if the history has it.
    ///
    /// It is on the disk before its completion begins: a module's file is large, and the load may be the kernel's last.
    pub(crate) fn record_and_complete(
        &mut self,
        mut event: Event,
        complete: impl FnOnce(&mut Event) -> bool,
    ) {
        addresses::mask(&mut event);
        let appended = self.storage.append(&mut event, false);
        if appended == Appended::Known {
            return;
        }
        if complete(&mut event) {
            addresses::mask(&mut event);
            if appended == Appended::Written {
                self.storage.amend(&event);
            }
        }
        self.pass_on(event, appended);
        if appended == Appended::Waits {
            self.retry();
        }
    }

    /// Sends an event to the journal and the socket, or lets it wait until the history has it.
    fn pass_on(&mut self, event: Event, appended: Appended) {
        match appended {
            Appended::Known => {}
            Appended::Waits => self.storage.wait(event),
            Appended::Refused => self.journal.send(&event),
            Appended::Written => {
                self.journal.send(&event);
                self.feed.publish(&event);
            }
        }
    }

    /// Whether more events can be taken; if not, the ring buffer keeps them.
    pub(crate) fn has_room(&self) -> bool {
        self.storage.has_room()
    }

    /// Until a history that could not be written is to be tried again; without an end where it can be written.
    pub(crate) async fn due(&self) {
        match self.storage.due() {
            Some(due) => tokio::time::sleep_until(due.into()).await,
            None => pending().await,
        }
    }

    /// Does what can be done now so that the history has what waits; the journal gets what still has to wait.
    pub(crate) fn retry(&mut self) {
        if self.storage.reopen() {
            if !self.has_begun {
                self.has_begun = true;
                self.import_crashes();
                self.end_of_last();
            }
            for waiting in self.storage.drain() {
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

    /// What the history knows of this boot.
    pub(crate) fn past(&mut self) -> Past {
        let boot_id = &self.boot_id;
        let events = self.storage.with(|store| store.of_boot(boot_id));
        Past::of(&events.unwrap_or_default(), 0)
    }

    /// The last try; says what is in no history.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.storage.hurry();
        while self
            .storage
            .due()
            .is_some_and(|due| due <= std::time::Instant::now())
        {
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
        self.pass_on(event, appended);
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
        let unended = self.storage.with(|store| {
            let mut ends = Vec::new();
            for mut last in store.unended()? {
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
