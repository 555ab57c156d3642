//! The durable history: one SQLite file, a row an event, a commit an event.
//!
//! In: events. Out: the same events with their sequence, and queries. The daemon is the only writer.

mod error;
mod filter;
pub mod lock;
mod open;
mod rows;
mod time_arg;
mod wanted;

use std::path::Path;

use rusqlite::Connection;

use crate::event::{Event, Time};
pub use error::{Error, Failure};
pub use filter::Filter;
pub use time_arg::TimeArg;
pub use wanted::Wanted;

/// Where the daemon keeps the history.
pub const DEFAULT_PATH: &str = "/var/lib/taintwatch/events.db";

/// The history.
pub struct Store {
    db: Connection,
    /// For error messages.
    path: String,
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

    fn of(path: &Path, opened: Result<Connection, Failure>) -> Result<Self, Error> {
        let path = path.display().to_string();
        match opened {
            Ok(db) => Ok(Self { db, path }),
            Err(failure) => Err(failure.at(&path)),
        }
    }

    fn at<T>(&self, done: Result<T, Failure>) -> Result<T, Error> {
        done.map_err(|failure| failure.at(&self.path))
    }

    /// Writes an event and gives it its sequence; false, and nothing written, when its id is there already.
    pub fn append(&mut self, event: &mut Event) -> Result<bool, Error> {
        let done = rows::append(&mut self.db, event);
        self.at(done)
    }

    /// Writes an event in the place of what it was before more of it was known.
    pub fn amend(&mut self, event: &Event) -> Result<(), Error> {
        let done = rows::amend(&self.db, event);
        self.at(done)
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
        self.at(rows::of_boot(&self.db, boot_id))
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
        self.at(rows::unended(&self.db))
    }

    /// The sequence of the last event; 0 where there is none.
    pub fn last_seq(&self) -> Result<u64, Error> {
        self.at(rows::last_seq(&self.db))
    }

    /// The events after this sequence number, in order.
    pub fn after(&self, seq: u64) -> Result<Vec<Event>, Error> {
        self.at(rows::after(&self.db, seq))
    }

    /// The events that `filter` lets pass, oldest first; with `last`, only so many of the newest.
    pub fn events(&self, filter: &Filter, last: Option<usize>) -> Result<Vec<Event>, Error> {
        self.at(rows::events(&self.db, filter, last))
    }
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
    fn gives_sequences_without_gaps_and_keeps_an_event_once() {
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
    fn an_amended_event_keeps_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::create(&folder.path().join("events.db")).unwrap();
        let mut events = ["a", "b"].map(event);
        for event in &mut events {
            store.append(event).unwrap();
        }
        let [mut first, second] = events;
        let module = crate::event::Module {
            name: Some("m".into()),
            ..Default::default()
        };
        first.module = Some(module);
        store.amend(&first).unwrap();
        assert_eq!(store.of_boot("b").unwrap(), [first.clone(), second]);
        let named = "SELECT id FROM event WHERE module = 'm'";
        let id: String = store.db.query_row(named, [], |row| row.get(0)).unwrap();
        assert_eq!(id, "a");
    }

    #[test]
    fn a_boot_without_an_end_is_found_whatever_came_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::create(&folder.path().join("events.db")).unwrap();
        let coverage = |id: &str, boot: &str, state: &str| -> Event {
            serde_json::from_value(serde_json::json!({
                "schema": 1, "id": id, "seq": 0, "kind": "coverage", "boot_id": boot,
                "coverage": {"state": state, "reason": ""},
            }))
            .unwrap()
        };
        for (id, boot, state) in [
            ("1", "a", "began"),
            ("2", "b", "began"),
            ("3", "a", "ended"),
        ] {
            store.append(&mut coverage(id, boot, state)).unwrap();
        }
        let open: Vec<_> = store
            .unended()
            .unwrap()
            .into_iter()
            .map(|event| event.id)
            .collect();
        assert_eq!(open, ["2"]);
    }

    #[test]
    fn the_last_heartbeat_is_the_last_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::create(&folder.path().join("events.db")).unwrap();
        assert_eq!(store.last_heartbeat("b").unwrap(), None);
        let time = |second: u32| Time(format!("2026-01-02T03:04:{second:02}Z").parse().unwrap());
        for (boot, second) in [("b", 5), ("b", 6), ("other", 7)] {
            store.heartbeat(boot, time(second), second.into()).unwrap();
        }
        assert_eq!(store.last_heartbeat("b").unwrap(), Some((time(6), 6)));
        assert_eq!(store.last_of("b").unwrap(), Some((time(6), 6)));
    }

    /// `SELECT * FROM history`, as the README has it; `docs/events.md` names the columns.
    #[test]
    fn the_view_gives_people_with_sqlite3_what_the_event_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.db");
        let mut store = Store::create(&path).unwrap();
        let mut whole: Event = serde_json::from_value(serde_json::json!({
            "schema": 1, "id": "whole", "seq": 0, "kind": "taint", "time": "2026-01-02T03:04:05.000000006Z",
            "boot_id": "b", "taint": {"bit": 9, "letter": "W"}, "module": {"name": "m"},
            "task": {"pid": 7, "tid": 8, "comm": "insmod"}, "caller": "f+0x1 [m]",
            "cause": {"class": "module_code", "summary": "it warned", "confidence": "observed", "sources": []},
        }))
        .unwrap();
        for event in [&mut whole, &mut event("short")] {
            store.append(event).unwrap();
        }
        let reader = Connection::open(&path).unwrap();
        let mut statement = reader.prepare("SELECT * FROM history").unwrap();
        let names = "seq time kind flag module comm pid caller confidence summary";
        assert_eq!(statement.column_names().join(" "), names);
        let cells = |row: &rusqlite::Row<'_>| -> rusqlite::Result<Vec<String>> {
            (0..10)
                .map(|column| {
                    Ok(match row.get(column)? {
                        rusqlite::types::Value::Integer(number) => number.to_string(),
                        rusqlite::types::Value::Text(text) => text,
                        other => format!("{other:?}"),
                    })
                })
                .collect()
        };
        let rows = statement.query_map([], cells).unwrap();
        let rows: Vec<_> = rows.map(|row| row.unwrap().join("|")).collect();
        let time = "2026-01-02T03:04:05.000000006Z";
        assert_eq!(
            rows,
            [
                format!("1|{time}|taint|W|m|insmod|7|f+0x1 [m]|observed|it warned"),
                format!("2|{time}|taint|W|Null|Null|Null|Null|Null|Null"),
            ]
        );
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
            ("/dev/null", "the history /dev/null is no file"),
        ] {
            let Err(error) = Store::open(Path::new(path)) else {
                panic!("{path} was opened")
            };
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_no_history_is_reported_once_with_its_name_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.db");
        let name = path.display().to_string();
        for (bytes, reason) in [
            (
                &b"no database, and long enough to be one"[..],
                "file is not a database",
            ),
            (b"", "no such table: event"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let read = Store::open(&path).and_then(|store| store.events(&Filter::default(), None));
            let printed = format!("{:#}", anyhow::Error::from(read.unwrap_err()));
            let begin = format!(
                "{name} is no history of taintwatch, or is damaged ({reason}): `--db` names"
            );
            assert!(printed.starts_with(&begin), "{printed}");
            assert_eq!(printed.matches(reason).count(), 1, "{printed}");
        }
        std::fs::write(&path, "no database, and long enough to be one").unwrap();
        let Err(Error::Broken { path, .. }) = Store::create(&path) else {
            panic!("it was made a history")
        };
        assert_eq!(path, name);
    }

    #[test]
    fn an_event_that_cannot_be_read_is_reported_once_with_the_historys_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.db");
        let mut store = Store::create(&path).unwrap();
        store.append(&mut event("a")).unwrap();
        store.db.execute("UPDATE event SET body = 'x'", []).unwrap();
        let printed = format!("{:#}", anyhow::Error::from(store.of_boot("b").unwrap_err()));
        assert_eq!(
            printed,
            format!(
                "the history {}: an event in it cannot be read: expected value at line 1 column 1",
                path.display()
            )
        );
    }
}
