//! The durable history: one SQLite file, a row an event, a commit an event.
//!
//! In: events. Out: the same events with their sequence, and queries. The daemon is the only writer.

pub mod access;
mod aside;
mod codec;
mod error;
mod excerpt;
mod filter;
mod layout;
pub mod lock;
mod migrate;
mod open;
mod own_file;
mod prune;
mod reader;
mod retention;
mod rows;
mod time_arg;
mod topic;
mod topics;
mod wanted;
mod writer;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, config::DbConfig};

use crate::event::{Event, Time};
pub use error::{Error, Failure, Remedy};
use excerpt::Extent;
pub use excerpt::{Excerpt, Omitted};
pub use filter::Filter;
use open::Opened;
use own_file::OwnFile;
pub use prune::Removed;
use reader::Reader;
pub use retention::Limits;
pub use time_arg::TimeArg;
pub use wanted::Wanted;
use writer::Writer;

/// Where the daemon keeps the history.
pub const DEFAULT_PATH: &str = "/var/lib/taintwatch/events.db";

/// The history.
pub struct Store {
    db: Connection,
    /// For error messages.
    path: String,
    /// It is a copy of a file of an older layout, as that was when it was opened.
    is_copy: bool,
    /// Of a store that is written to. Closed after SQLite's own, for it comes behind it here.
    own: Option<OwnFile>,
    reader: Reader,
    writer: Writer,
}

/// Something to write.
#[derive(Clone, Debug)]
pub struct Write {
    pub event: Event,
    /// The event is there, without what was found out since.
    is_amendment: bool,
}

impl Write {
    #[must_use]
    pub const fn event(event: Event) -> Self {
        let is_amendment = false;
        Self {
            event,
            is_amendment,
        }
    }

    #[must_use]
    pub const fn amendment(event: Event) -> Self {
        let is_amendment = true;
        Self {
            event,
            is_amendment,
        }
    }
}

/// The files that SQLite keeps beside a history.
fn beside(path: &Path) -> [PathBuf; 2] {
    ["-wal", "-shm"].map(|suffix| open::beside(path, suffix))
}

impl Store {
    /// Opens the history for writing, and makes it when there is none.
    pub fn create(path: &Path) -> Result<Self, Error> {
        open::folder(path)?;
        Self::of(path, open::for_writing(path))
    }

    /// Opens the history for reading.
    pub fn open(path: &Path) -> Result<Self, Error> {
        open::readable(path)?;
        Self::of(path, open::for_reading(path))
    }

    fn of(path: &Path, opened: Result<Opened, Failure>) -> Result<Self, Error> {
        let shown = path.display().to_string();
        let Opened { db, file, is_copy } = opened.map_err(|failure| failure.at(&shown))?;
        Ok(Self {
            db,
            path: shown,
            is_copy,
            own: file.map(|file| OwnFile::new(file, path)),
            reader: Reader::default(),
            writer: Writer::default(),
        })
    }

    fn at<T>(&self, done: Result<T, Failure>) -> Result<T, Error> {
        done.map_err(|failure| failure.at(&self.path))
    }

    /// Whether the file may be written to: it may have been removed, replaced or overwritten.
    fn check(&self) -> Result<(), Error> {
        self.at(self.own.as_ref().map_or(Ok(()), OwnFile::check))
    }

    /// Writes an event and gives it its sequence; false, and nothing written, when its id is there already.
    pub fn append(&mut self, event: &mut Event) -> Result<bool, Error> {
        self.check()?;
        let done = rows::append(&mut self.db, &mut self.writer, &self.reader, event);
        self.written(done)
    }

    /// Writes an event in the place of what it was before more of it was known.
    pub fn amend(&mut self, event: &Event) -> Result<(), Error> {
        self.check()?;
        let done = rows::amend(&mut self.db, &mut self.writer, &self.reader, event);
        self.written(done.map(|_is_there| ()))
    }

    /// Writes all of it, or nothing.
    pub fn write<'a>(&mut self, all: impl Iterator<Item = &'a mut Write>) -> Result<(), Error> {
        self.check()?;
        let done = rows::write(&mut self.db, &mut self.writer, &self.reader, all);
        self.written(done)
    }

    /// What was not committed is not there to be used again.
    fn written<T>(&mut self, done: Result<T, Failure>) -> Result<T, Error> {
        if done.is_err() {
            self.writer.forget();
            self.reader.forget();
        }
        self.at(done)
    }

    /// Removes for so long what is beyond the limits; how many events it was. `running` is the boot that
    /// stays whatever the limits are.
    pub fn prune(
        &mut self,
        running: &str,
        limits: Limits,
        now: Time,
        time: Duration,
    ) -> Result<u64, Error> {
        self.check()?;
        let done = prune::prune(&mut self.db, running, limits, now, time);
        if !matches!(done, Ok(0)) {
            // They remember what may be gone.
            self.writer.forget();
            self.reader.forget();
        }
        self.at(done)
    }

    /// What the limits of the configuration removed from it.
    pub fn removed(&self) -> Result<Option<Removed>, Error> {
        self.at(prune::removed(&self.db))
    }

    /// What could not be read of it since the last call, for people.
    #[must_use]
    pub fn unread(&self) -> Option<String> {
        self.reader.left_out()
    }

    /// Says what could not be read of it.
    pub fn warn_of_unread(&self) {
        if let Some(unread) = self.unread() {
            log::warn!("{unread}");
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        Path::new(&self.path)
    }

    /// For tests that take something away from it.
    #[cfg(test)]
    pub(crate) const fn connection(&self) -> &Connection {
        &self.db
    }

    /// Notes that the daemon of this boot runs at this time.
    pub fn heartbeat(&mut self, boot_id: &str, time: Time, boottime_ns: u64) -> Result<(), Error> {
        self.at(rows::heartbeat(&self.db, boot_id, time, boottime_ns))
    }

    /// The last heartbeat of a boot's daemon.
    pub fn last_heartbeat(&self, boot_id: &str) -> Result<Option<(Time, u64)>, Error> {
        self.at(rows::last_heartbeat(&self.db, boot_id))
    }

    /// The events of a boot, oldest first.
    pub fn of_boot(&self, boot_id: &str) -> Result<Vec<Event>, Error> {
        self.at(rows::of_boot(&self.db, &self.reader, boot_id))
    }

    /// The boots that the history knows, in no order.
    pub fn boots(&self) -> Result<Vec<String>, Error> {
        self.at(rows::boots(&self.db))
    }

    /// The last time of a boot that the history knows, by an event or by a heartbeat.
    pub fn last_of(&self, boot_id: &str) -> Result<Option<(Time, u64)>, Error> {
        self.at(rows::last_of(&self.db, boot_id))
    }

    /// The newest coverage event of each boot whose monitoring has no recorded end.
    pub fn unended(&self) -> Result<Vec<Event>, Error> {
        self.at(rows::unended(&self.db, &self.reader))
    }

    /// The sequence of the last event; 0 where there is none.
    pub fn last_seq(&self) -> Result<u64, Error> {
        self.at(rows::last_seq(&self.db))
    }

    /// The events after this sequence number, in order.
    pub fn after(&self, seq: u64) -> Result<Vec<Event>, Error> {
        if self.is_copy {
            // What is recorded since is not in it.
            let anew = self.at(open::for_reading(self.path()))?;
            return self.at(rows::after(&anew.db, &self.reader, seq));
        }
        self.at(rows::after(&self.db, &self.reader, seq))
    }

    /// What shows the place of each boot among the others, and when it was monitored.
    pub fn outline(&self) -> Result<Excerpt, Error> {
        self.excerpt(None, Extent::Outline)
    }

    /// What the flags of a boot are, and what was lost in it.
    pub fn flags_of(&self, boot_id: &str) -> Result<Excerpt, Error> {
        self.excerpt(Some(&[Some(boot_id.to_owned())]), Extent::Flags)
    }

    /// What set each flag of a boot, for each cause, with all loads of modules.
    pub fn causes_of(&self, boot_id: &str) -> Result<Excerpt, Error> {
        self.excerpt(Some(&[Some(boot_id.to_owned())]), Extent::Causes)
    }

    /// What a report of these boots says: the events that `filter` lets pass, and what is to be said beside them.
    pub fn of_report(&self, boots: &[Option<String>], filter: &Filter) -> Result<Excerpt, Error> {
        self.excerpt(Some(boots), Extent::Passing(filter))
    }

    fn excerpt(
        &self,
        boots: Option<&[Option<String>]>,
        extent: Extent<'_>,
    ) -> Result<Excerpt, Error> {
        self.at(excerpt::of(&self.db, &self.reader, boots, extent))
    }

    /// The events that `filter` lets pass, oldest first; with `last`, only so many of the newest.
    pub fn events(&self, filter: &Filter, last: Option<usize>) -> Result<Vec<Event>, Error> {
        self.at(rows::events(&self.db, &self.reader, filter, last))
    }
}

/// Keeps a damaged history under another name, which it returns.
pub fn set_aside(path: &Path, store: Option<Store>) -> Result<PathBuf, Error> {
    if let Some(store) = &store {
        // What SQLite's log holds is not written into a file that is no database.
        let keeps = store
            .db
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        store.at(keeps.map_err(Failure::from).map(|_is_kept| ()))?;
    }
    let kept = aside::set_aside(path, jiff::Timestamp::now());
    // Only now: SQLite finds nothing of that name to write to or to remove.
    drop(store);
    kept.map_err(|error| Error::Aside {
        path: path.display().to_string(),
        error,
    })
}

/// The name of a history that is written while a newer program's has the usual name.
#[must_use]
pub fn own_name(path: &Path) -> PathBuf {
    open::beside(path, &format!(".layout-{}", layout::LAYOUT))
}

#[cfg(test)]
mod tests;
