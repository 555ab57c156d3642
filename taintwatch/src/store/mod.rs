//! The durable history: one SQLite file, a row an event, a commit an event.
//!
//! In: events. Out: the same events with their sequence, and queries. The daemon is the only writer.

pub mod access;
mod aside;
mod error;
mod filter;
pub mod lock;
mod open;
mod own_file;
mod rows;
mod time_arg;
mod unread;
mod wanted;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, config::DbConfig};

use crate::event::{Event, Time};
pub use error::{Error, Failure, Remedy};
pub use filter::Filter;
use own_file::OwnFile;
pub use time_arg::TimeArg;
use unread::Unread;
pub use wanted::Wanted;

/// Where the daemon keeps the history.
pub const DEFAULT_PATH: &str = "/var/lib/taintwatch/events.db";

/// The history.
pub struct Store {
    db: Connection,
    /// For error messages.
    path: String,
    /// Of a store that is written to. Closed after SQLite's own, for it comes behind it here.
    own: Option<OwnFile>,
    unread: Unread,
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
        let opened = open::for_writing(path);
        Self::of(
            path,
            opened.map(|(db, file)| (db, Some(OwnFile::new(file, path)))),
        )
    }

    /// Opens the history for reading.
    pub fn open(path: &Path) -> Result<Self, Error> {
        open::readable(path)?;
        Self::of(path, open::for_reading(path).map(|db| (db, None)))
    }

    fn of(
        path: &Path,
        opened: Result<(Connection, Option<OwnFile>), Failure>,
    ) -> Result<Self, Error> {
        let path = path.display().to_string();
        match opened {
            Ok((db, own)) => Ok(Self {
                db,
                path,
                own,
                unread: Unread::default(),
            }),
            Err(failure) => Err(failure.at(&path)),
        }
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
        let done = rows::append(&mut self.db, event);
        self.at(done)
    }

    /// Writes an event in the place of what it was before more of it was known.
    pub fn amend(&mut self, event: &Event) -> Result<(), Error> {
        self.check()?;
        let done = rows::amend(&self.db, event);
        self.at(done.map(|_is_there| ()))
    }

    /// Writes all of it, or nothing.
    pub fn write<'a>(&mut self, all: impl Iterator<Item = &'a mut Write>) -> Result<(), Error> {
        self.check()?;
        let done = rows::write(&mut self.db, all);
        self.at(done)
    }

    /// What could not be read of it since the last call, for people.
    #[must_use]
    pub fn unread(&self) -> Option<String> {
        self.unread.take()
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
        self.at(rows::of_boot(&self.db, &self.unread, boot_id))
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
        self.at(rows::unended(&self.db, &self.unread))
    }

    /// The sequence of the last event; 0 where there is none.
    pub fn last_seq(&self) -> Result<u64, Error> {
        self.at(rows::last_seq(&self.db))
    }

    /// The events after this sequence number, in order.
    pub fn after(&self, seq: u64) -> Result<Vec<Event>, Error> {
        self.at(rows::after(&self.db, &self.unread, seq))
    }

    /// The events that `filter` lets pass, oldest first; with `last`, only so many of the newest.
    pub fn events(&self, filter: &Filter, last: Option<usize>) -> Result<Vec<Event>, Error> {
        self.at(rows::events(&self.db, &self.unread, filter, last))
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
    open::beside(path, &format!(".layout-{}", open::LAYOUT))
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
        let closed = Error::Unreadable {
            path: "x".to_owned(),
            error: std::io::ErrorKind::PermissionDenied.into(),
        };
        let advice = ": become root or a member of the group taintwatch";
        assert!(closed.to_string().ends_with(advice), "{closed}");
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
    fn the_layout_of_a_newer_program_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.db");
        let store = Store::create(&path).unwrap();
        store.db.execute_batch("PRAGMA user_version = 99").unwrap();
        drop(store);
        let bytes = std::fs::read(&path).unwrap();
        for opened in [Store::create(&path), Store::open(&path)] {
            let Err(error) = opened else {
                panic!("it was opened")
            };
            assert_eq!(error.remedy(), Remedy::Beside);
            assert!(error.to_string().contains("(layout 99;"), "{error}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn a_file_that_was_removed_or_overwritten_is_noticed_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.db");
        let mut store = Store::create(&path).unwrap();
        store.append(&mut event("a")).unwrap();
        let other = folder.path().join("other");
        std::fs::rename(&path, &other).unwrap();
        let error = store.append(&mut event("b")).unwrap_err();
        assert!(
            error.lost().is_some() && error.remedy() == Remedy::Reopen,
            "{error}"
        );
        std::fs::rename(&other, &path).unwrap();
        store.append(&mut event("b")).unwrap();
        let length = std::fs::metadata(&path).unwrap().len();
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        std::os::unix::fs::FileExt::write_all_at(
            &file,
            &vec![7; usize::try_from(length).unwrap()],
            0,
        )
        .unwrap();
        let error = store.append(&mut event("c")).unwrap_err();
        assert_eq!(error.remedy(), Remedy::SetAside);
        let kept = set_aside(&path, Some(store)).unwrap();
        assert_eq!(
            std::fs::read(&kept).unwrap(),
            vec![7; usize::try_from(length).unwrap()]
        );
        assert!(!path.exists());
    }

    #[test]
    fn rows_that_are_no_event_are_left_out_of_every_query_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.db");
        let mut store = Store::create(&path).unwrap();
        let coverage = serde_json::json!({"state": "began", "reason": ""});
        for id in ["a", "b", "c", "d", "e"] {
            let mut event = event(id);
            event.kind = Kind::Coverage;
            event.coverage = serde_json::from_value(coverage.clone()).ok();
            store.append(&mut event).unwrap();
        }
        let [no_json, no_event, newer, no_text] = [
            "'x'",
            "'{}'",
            r#"'{"schema": 2, "id": "x", "seq": 1, "kind": "taint"}'"#,
            "CAST(x'ff' AS TEXT)",
        ];
        for (seq, body) in [(2, no_json), (3, no_event), (4, newer), (5, no_text)] {
            let spoil = format!("UPDATE event SET body = {body} WHERE seq = {seq}");
            store.db.execute(&spoil, []).unwrap();
        }
        let said = "4 events of the history could not be read and are left out; the first, event ";
        let reads: [&dyn Fn() -> Vec<Event>; 3] = [
            &|| store.of_boot("b").unwrap(),
            &|| store.after(0).unwrap(),
            &|| store.events(&Filter::default(), None).unwrap(),
        ];
        for read in reads {
            let ids: Vec<_> = read().into_iter().map(|event| event.id).collect();
            assert_eq!(ids, ["a"]);
            let unread = store.unread().unwrap();
            assert!(unread.starts_with(said), "{unread}");
            assert_eq!(store.unread(), None, "said twice");
        }
        assert_eq!(store.last_of("b").unwrap(), None);
        store.unended().unwrap();
        assert_eq!(store.boots().unwrap(), ["b"]);
        store
            .db
            .prepare("SELECT * FROM history")
            .unwrap()
            .query([])
            .unwrap()
            .next()
            .unwrap();
    }
}
