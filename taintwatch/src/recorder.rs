//! Where events go when they are recorded: the history first, then the journal and whoever listens.
//!
//! In: events of the watch. Out: rows, journal entries, lines on the socket. At its start it tells what an earlier watch
//! could not: how that ended, and what a dead kernel left behind.

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

/// Where a recorded event goes, the history first.
pub(crate) struct Recorder {
    store: Store,
    feed: Feed,
    journal: JournalQueue,
    boot_id: String,
    _lock: Lock,
}

impl Recorder {
    /// Opens the history, and listens; one recorder a history.
    pub(crate) fn new(db: &Path, socket: &Path) -> Result<Self> {
        let store = Store::create(db)?;
        let lock = lock::take(db).with_context(|| format!("lock {}", db.display()))?;
        let lock = lock.with_context(|| {
            format!(
                "another taintwatch records to {}: stop it first",
                db.display()
            )
        })?;
        Ok(Self {
            store,
            feed: Feed::listen(socket)?,
            journal: JournalQueue::begin(),
            boot_id: Identity::read()?.boot_id,
            _lock: lock,
        })
    }

    /// Writes an event, and tells whoever listens; one that is known already is no news. One that cannot be written is
    /// told all the same.
    pub(crate) fn record(&mut self, mut event: Event) -> Result<()> {
        let written = self.store.append(&mut event);
        if matches!(written, Ok(false)) {
            return Ok(());
        }
        self.journal.send(&event);
        self.feed.publish(&event)?;
        written.context("write to the history")?;
        Ok(())
    }

    /// Notes that the watch is alive.
    pub(crate) fn alive(&mut self) -> Result<()> {
        let now = boottime_ns();
        Ok(self.store.heartbeat(&self.boot_id, wall_clock(now), now)?)
    }

    /// What the history knows of this boot.
    pub(crate) fn past(&self) -> Result<Past> {
        let events = self.store.of_boot(&self.boot_id)?;
        Ok(Past::of(&events, 0))
    }

    /// What dead kernels left behind; what is in the history already stays as it is.
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

    /// The boots of the history, but for the present one.
    fn boots_before(&self) -> Result<Vec<crash::Boot>> {
        let mut boots = Vec::new();
        for boot_id in self
            .store
            .boots()?
            .into_iter()
            .filter(|id| *id != self.boot_id)
        {
            let events = self.store.of_boot(&boot_id)?;
            let last = self.store.last_of(&boot_id)?;
            boots.extend(last.and_then(|last| crash::Boot::of(&boot_id, &events, last)));
        }
        Ok(boots)
    }

    /// The end of each watch that could not tell it itself: its last sign of life.
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
