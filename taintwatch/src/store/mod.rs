//! The durable history: one SQLite file, a row an event, a commit an event.
//!
//! In: events. Out: the same events with their sequence, and queries. The daemon is the only writer.

mod filter;
pub mod glob;
pub mod lock;
mod moment;
mod wanted;

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use rusqlite_migration::{M, Migrations};

use crate::event::{CoverageState, Event, SCHEMA, Time};
pub use filter::Filter;
pub use moment::Moment;
pub use wanted::Wanted;

/// Where the daemon keeps the history.
pub const DEFAULT_PATH: &str = "/var/lib/taintwatch/events.db";

/// `body` is the event as it is exported; the columns beside it are what queries ask for.
const SCHEMA_1: &str = "
CREATE TABLE event (
    seq      INTEGER PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    boot_id  TEXT,
    kind     TEXT NOT NULL,
    time_ns  INTEGER NOT NULL,
    bit      INTEGER,
    module   TEXT,
    body     TEXT NOT NULL
) STRICT;
CREATE INDEX event_kind ON event (boot_id, kind, bit);
CREATE VIEW history AS
SELECT seq,
       body ->> '$.time'             AS time,
       kind,
       body ->> '$.taint.letter'     AS flag,
       module,
       body ->> '$.task.comm'        AS comm,
       body ->> '$.task.pid'         AS pid,
       body ->> '$.caller'           AS caller,
       body ->> '$.cause.confidence' AS confidence,
       body ->> '$.cause.summary'    AS summary
FROM event ORDER BY seq;
";

/// The watch's last sign of life in each boot: where an interval ended that has no event of its end.
const SCHEMA_2: &str = "
CREATE TABLE alive (
    boot_id      TEXT PRIMARY KEY,
    time_ns      INTEGER NOT NULL,
    boottime_ns  INTEGER NOT NULL
) STRICT;
";

/// Why the history cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "there is no history at {0}: `taintwatch daemon` records one (as root), and `--db` names another"
    )]
    Missing(String),
    #[error("the history {path} cannot be read: {error}")]
    Unreadable { path: String, error: std::io::Error },
    #[error("the history {0} is no file")]
    NoFile(String),
    #[error("the history {path}: {error}")]
    Open {
        path: String,
        error: rusqlite::Error,
    },
    #[error("the history cannot be brought to this program's layout: {0}")]
    Migrate(#[from] rusqlite_migration::Error),
    #[error("the history: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("an event in the history cannot be read: {0}")]
    Event(#[from] serde_json::Error),
    #[error(
        "the history holds events of schema {0}; this program reads up to {SCHEMA}: use a newer taintwatch"
    )]
    Newer(u32),
    #[error("make the folder {path}: {error}")]
    Folder { path: String, error: std::io::Error },
}

/// The history.
pub struct Store(Connection);

impl Store {
    /// Opens the history for writing, and makes it when there is none.
    pub fn create(path: &Path) -> Result<Self, Error> {
        if let Some(folder) = path.parent() {
            let failed = |error: std::io::Error| Error::Folder {
                path: folder.display().to_string(),
                error,
            };
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut connection = Connection::open(path).map_err(open_error(path))?;
        // FULL: an event is on the disk before anybody is told of it.
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
        connection.busy_timeout(Duration::from_secs(5))?;
        Migrations::new(vec![M::up(SCHEMA_1), M::up(SCHEMA_2)]).to_latest(&mut connection)?;
        Ok(Self(connection))
    }

    /// Opens the history for reading.
    pub fn open(path: &Path) -> Result<Self, Error> {
        readable(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(open_error(path))?;
        connection.busy_timeout(Duration::from_secs(5))?;
        Ok(Self(connection))
    }

    /// Writes an event and gives it its sequence; an event that is there already stays as it is, and is not news.
    pub fn append(&mut self, event: &mut Event) -> Result<bool, Error> {
        let transaction = self.0.transaction()?;
        let known: Option<u64> = transaction
            .query_row("SELECT seq FROM event WHERE id = ?1", [&event.id], |row| {
                row.get(0)
            })
            .optional()?;
        if let Some(seq) = known {
            event.seq = seq;
            return Ok(false);
        }
        event.seq =
            transaction.query_row("SELECT coalesce(max(seq), 0) + 1 FROM event", [], |row| {
                row.get(0)
            })?;
        let body = serde_json::to_string(event)?;
        let nanoseconds = i64::try_from(event.time.0.as_nanosecond()).unwrap_or(i64::MAX);
        let bit = event.taint.as_ref().and_then(|taint| taint.bit);
        let module = event
            .module
            .as_ref()
            .and_then(|module| module.name.as_deref());
        transaction.execute(
            "INSERT INTO event (seq, id, boot_id, kind, time_ns, bit, module, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                event.seq,
                event.id,
                event.boot_id,
                event.kind.as_str(),
                nanoseconds,
                bit,
                module,
                body
            ],
        )?;
        transaction.commit()?;
        Ok(true)
    }

    /// Notes that the watch of this boot is alive.
    pub fn alive(&mut self, boot_id: &str, time: Time, boottime_ns: u64) -> Result<(), Error> {
        let time_ns = i64::try_from(time.0.as_nanosecond()).unwrap_or(i64::MAX);
        self.0.execute(
            "INSERT INTO alive (boot_id, time_ns, boottime_ns) VALUES (?1, ?2, ?3)
             ON CONFLICT (boot_id) DO UPDATE SET time_ns = ?2, boottime_ns = ?3",
            params![boot_id, time_ns, boottime_ns],
        )?;
        Ok(())
    }

    /// The last sign of life of a boot's watch.
    pub fn last_alive(&self, boot_id: &str) -> Result<Option<(Time, u64)>, Error> {
        let query = "SELECT time_ns, boottime_ns FROM alive WHERE boot_id = ?1";
        let row = self.0.query_row(query, [boot_id], |row| {
            Ok((row.get::<_, i64>(0)?, row.get(1)?))
        });
        let Some((time_ns, boottime_ns)) = row.optional()? else {
            return Ok(None);
        };
        let time = jiff::Timestamp::from_nanosecond(time_ns.into());
        Ok(time.ok().map(|time| (Time(time), boottime_ns)))
    }

    /// The events of a boot, oldest first.
    pub fn of_boot(&self, boot_id: &str) -> Result<Vec<Event>, Error> {
        let query = "SELECT body FROM event WHERE boot_id = ?1 ORDER BY seq";
        let mut statement = self.0.prepare(query)?;
        let bodies = statement.query_map([boot_id], |row| row.get::<_, String>(0))?;
        bodies
            .map(|body| Ok(serde_json::from_str(&body?)?))
            .collect()
    }

    /// The boots that the history knows, in no order.
    pub fn boots(&self) -> Result<Vec<String>, Error> {
        let query = "SELECT DISTINCT boot_id FROM event WHERE boot_id IS NOT NULL";
        let mut statement = self.0.prepare(query)?;
        let boots = statement.query_map([], |row| row.get(0))?;
        Ok(boots.collect::<Result<_, _>>()?)
    }

    /// The last moment of a boot that the history knows, by an event or by a sign of life.
    pub fn last_of(&self, boot_id: &str) -> Result<Option<(Time, u64)>, Error> {
        let query = "SELECT time_ns, body ->> '$.boottime_ns' AS at FROM event
            WHERE boot_id = ?1 AND at IS NOT NULL ORDER BY at DESC LIMIT 1";
        let row = self.0.query_row(query, [boot_id], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, u64>(1)?))
        });
        let event = row.optional()?.and_then(|(time_ns, at)| {
            let time = jiff::Timestamp::from_nanosecond(time_ns.into()).ok()?;
            Some((Time(time), at))
        });
        let alive = self.last_alive(boot_id)?;
        Ok(event.into_iter().chain(alive).max_by_key(|(_, at)| *at))
    }

    /// The newest coverage event, when it is not of an end.
    pub fn unended(&self) -> Result<Option<Event>, Error> {
        let query = "SELECT body FROM event WHERE kind = 'coverage' ORDER BY seq DESC LIMIT 1";
        let body: Option<String> = self.0.query_row(query, [], |row| row.get(0)).optional()?;
        let Some(body) = body else {
            return Ok(None);
        };
        let event: Event = serde_json::from_str(&body)?;
        let ended = event.coverage.as_ref().map(|coverage| coverage.state);
        Ok((ended != Some(CoverageState::Ended)).then_some(event))
    }

    /// The events that `filter` lets pass, oldest first; with `last`, only so many of the newest.
    pub fn events(&self, filter: &Filter, last: Option<usize>) -> Result<Vec<Event>, Error> {
        let mut statement = self.0.prepare("SELECT body FROM event ORDER BY seq DESC")?;
        let bodies = statement.query_map([], |row| row.get::<_, String>(0))?;
        let mut events = Vec::new();
        for body in bodies {
            let event: Event = serde_json::from_str(&body?)?;
            if event.schema > SCHEMA {
                return Err(Error::Newer(event.schema));
            }
            if filter.passes(&event) {
                events.push(event);
            }
            if last.is_some_and(|last| events.len() >= last) {
                break;
            }
        }
        events.reverse();
        Ok(events)
    }
}

/// SQLite says of all of these that it is unable to open the file.
fn readable(path: &Path) -> Result<(), Error> {
    let shown = || path.display().to_string();
    let metadata = std::fs::File::open(path).and_then(|file| file.metadata());
    match metadata {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err(Error::NoFile(shown())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Error::Missing(shown())),
        Err(error) => Err(Error::Unreadable {
            path: shown(),
            error,
        }),
    }
}

fn open_error(path: &Path) -> impl FnOnce(rusqlite::Error) -> Error {
    let path = path.display().to_string();
    move |error| Error::Open { path, error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Kind;

    fn event(id: &str) -> Event {
        serde_json::from_value(serde_json::json!({
            "schema": 1, "id": id, "seq": 0, "kind": "taint", "time": "2026-01-02T03:04:05.000000006Z",
            "boot_id": "b", "taint": {"bit": 9, "letter": "W"},
        }))
        .unwrap()
    }

    #[test]
    fn gives_sequences_without_holes_and_keeps_an_event_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/events.db");
        let mut store = Store::create(&path).unwrap();
        let mut sequences = Vec::new();
        for id in ["a", "b", "a", "c"] {
            let mut event = event(id);
            store.append(&mut event).unwrap();
            sequences.push(event.seq);
        }
        assert_eq!(sequences, [1, 2, 1, 3]);
        drop(store);
        let events = Store::open(&path)
            .unwrap()
            .events(&Filter::default(), None)
            .unwrap();
        assert_eq!(
            events
                .iter()
                .map(|event| event.id.as_str())
                .collect::<Vec<_>>(),
            ["a", "b", "c"]
        );
        assert_eq!(
            events[0].time,
            Time("2026-01-02T03:04:05.000000006Z".parse().unwrap())
        );
        assert_eq!(events[0].kind, Kind::Taint);
    }

    #[test]
    fn says_which_history_cannot_be_read_and_why() {
        for (path, said) in [
            (
                "/nonexistent/events.db",
                "there is no history at /nonexistent/events.db: `taintwatch daemon`",
            ),
            ("/", "the history / is no file"),
            ("/dev/null/events.db", "cannot be read: Not a directory"),
        ] {
            let Err(error) = Store::open(Path::new(path)) else {
                panic!("{path} was opened")
            };
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
