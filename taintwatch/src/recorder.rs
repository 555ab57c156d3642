//! Where events go when they are recorded: the history first, then the journal and the readers of the socket.
//!
//! In: events of the monitor. Out: rows, journal entries, lines on the socket. At its start it records what an earlier
//! monitor could not: how that ended, and what a crashed kernel left.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::{
    baseline::Past,
    coverage, crash,
    event::{CoverageState, Event},
    journal_queue::JournalQueue,
    kernel::identity::{Identity, boottime_ns, wall_clock},
    socket::Feed,
    store::{
        Store,
        lock::{self, Lock},
    },
};

/// Where an event goes besides the history.
pub(crate) struct Outlets<'a> {
    pub(crate) socket: &'a Path,
    /// The group that may connect to the socket.
    pub(crate) group: &'a str,
    pub(crate) journal: bool,
}

/// Where a recorded event goes, the history first.
pub(crate) struct Recorder {
    store: Store,
    feed: Feed,
    journal: JournalQueue,
    boot_id: String,
    _lock: Lock,
}

impl Recorder {
    /// Opens the history and the socket; one recorder for each history.
    pub(crate) fn new(db: &Path, outlets: &Outlets) -> Result<Self> {
        let store = Store::create(db)?;
        let lock = lock::take(db).with_context(|| format!("lock {}", db.display()))?;
        let lock = lock.with_context(|| {
            format!(
                "another taintwatch records to {}: stop it first",
                db.display()
            )
        })?;
        let journal = if outlets.journal {
            JournalQueue::begin()
        } else {
            JournalQueue::off()
        };
        Ok(Self {
            store,
            feed: Feed::listen(outlets.socket, outlets.group)?,
            journal,
            boot_id: Identity::read()?.boot_id,
            _lock: lock,
        })
    }

    /// Writes an event to the history, and sends it to the journal and the socket.
    pub(crate) fn record(&mut self, event: Event) -> Result<()> {
        self.record_and_complete(event, |_| false)
    }

    /// Writes an event to the history, lets `complete` add what takes time, and sends it to the journal and the socket;
    /// not again if the history has it. It is sent even if it cannot be written.
    ///
    /// It is on the disk before its completion begins: a module's file is large, and the load may be the kernel's last.
    pub(crate) fn record_and_complete(
        &mut self,
        mut event: Event,
        complete: impl FnOnce(&mut Event) -> bool,
    ) -> Result<()> {
        let mut written = self.store.append(&mut event);
        if matches!(written, Ok(false)) {
            return Ok(());
        }
        if complete(&mut event) && written.is_ok() {
            written = self.store.amend(&event).map(|()| true);
        }
        self.journal.send(&event);
        self.feed.publish(&event)?;
        written.context("write to the history")?;
        Ok(())
    }

    /// Writes the monitor's heartbeat.
    pub(crate) fn heartbeat(&mut self) -> Result<()> {
        let now = boottime_ns();
        Ok(self.store.heartbeat(&self.boot_id, wall_clock(now), now)?)
    }

    /// What the history knows of this boot.
    pub(crate) fn past(&self) -> Result<Past> {
        let events = self.store.of_boot(&self.boot_id)?;
        Ok(Past::of(&events, 0))
    }

    /// Records what crashed kernels left; what is in the history already stays as it is.
    pub(crate) fn import_crashes(&mut self) -> Result<()> {
        let dumps = crash::places::dumps();
        if dumps.is_empty() {
            return Ok(());
        }
        let boots = self.boots_before()?;
        for dump in &dumps {
            for event in crash::events(dump, &boots) {
                self.record(event)?;
            }
        }
        Ok(())
    }

    /// The boots in the history, without the present one.
    fn boots_before(&self) -> Result<Vec<crash::CrashedBoot>> {
        let mut boots = Vec::new();
        for boot_id in self
            .store
            .boots()?
            .into_iter()
            .filter(|id| *id != self.boot_id)
        {
            let events = self.store.of_boot(&boot_id)?;
            let last = self.store.last_of(&boot_id)?;
            boots.extend(last.and_then(|last| crash::CrashedBoot::of(&boot_id, &events, last)));
        }
        Ok(boots)
    }

    /// Records the end of each monitor that could not record it: at its last heartbeat.
    pub(crate) fn end_of_last(&mut self) -> Result<()> {
        for mut last in self.store.unended()? {
            let boot_id = last.boot_id.clone().unwrap_or_default();
            if let Some((time, boottime_ns)) = self.store.last_of(&boot_id)? {
                last.time = time;
                last.boottime_ns = Some(boottime_ns);
            }
            last.id = format!("{}-end", last.id);
            if let Some(coverage) = &mut last.coverage {
                coverage.state = CoverageState::Ended;
                coverage::UNCLEAN.clone_into(&mut coverage.reason);
            }
            self.record(last)?;
        }
        Ok(())
    }
}
