//! Opening the history's file.
//!
//! In: its path. Out: a connection, to write through or to read through.

use std::{
    ffi::OsString,
    fs::File,
    io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};

use super::{
    access,
    error::{Error, Failure, is_refused},
};

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

/// The daemon's last heartbeat in each boot: when monitoring ended that has no event of its end.
const SCHEMA_2: &str = "
CREATE TABLE alive (
    boot_id      TEXT PRIMARY KEY,
    time_ns      INTEGER NOT NULL,
    boottime_ns  INTEGER NOT NULL
) STRICT;
";

/// The table is named after what it holds.
const SCHEMA_3: &str = "ALTER TABLE alive RENAME TO heartbeat;";

/// What a reader sees in place of a table that came later: a reader does not migrate the file.
const HEARTBEAT_OF_OLD: [(&str, &str); 2] = [
    (
        "alive",
        "CREATE TEMP VIEW heartbeat AS SELECT boot_id, time_ns, boottime_ns FROM alive",
    ),
    (
        "event",
        "CREATE TEMP VIEW heartbeat AS SELECT '' AS boot_id, 0 AS time_ns, 0 AS boottime_ns WHERE false",
    ),
];

const LAYOUTS: [&str; 3] = [SCHEMA_1, SCHEMA_2, SCHEMA_3];
/// The newest layout of the tables that this program knows.
pub(super) const LAYOUT: i64 = 3;

/// How long a reader waits for a process that keeps it busy.
const PATIENCE: Duration = Duration::from_secs(5);
/// A writer has other things to do, and tries again.
const PATIENCE_TO_WRITE: Duration = Duration::from_millis(250);

/// Makes the folder, if need be; the one of the usual history is set right.
pub(super) fn folder(path: &Path) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| folder.as_os_str() != "");
    let Some(folder) = folder else {
        return Ok(());
    };
    let is_own = path == Path::new(super::DEFAULT_PATH);
    access::folder(folder, is_own).map_err(|error| Error::Folder {
        path: folder.display().to_string(),
        error,
    })
}

/// To write; the file is made when there is none, and SQLite gives the files beside it the same owner and mode.
pub(super) fn for_writing(path: &Path) -> Result<(Connection, File), Failure> {
    let file = access::history(path).map_err(Failure::Open)?;
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE_TO_WRITE)?;
    is_known(&connection)?;
    // FULL: an event is on the disk before it is published.
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
    migrations().to_latest(&mut connection)?;
    Ok((connection, file))
}

/// Refuses the layout of a newer program.
fn is_known(connection: &Connection) -> Result<(), Failure> {
    let layout = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if layout > LAYOUT {
        return Err(Failure::NewerLayout(layout, LAYOUT));
    }
    Ok(())
}

fn migrations() -> Migrations<'static> {
    Migrations::new(LAYOUTS.map(M::up).to_vec())
}

/// To read, also without the right to write: SQLite wants to make files beside the history, and does not need them
/// while no process writes.
pub(super) fn for_reading(path: &Path) -> Result<Connection, Failure> {
    let opened = read_only(path, OpenFlags::empty());
    let is_refused = matches!(&opened, Err(Failure::Sqlite(error)) if is_refused(error));
    if is_refused
        && beside(path, "-wal")
            .try_exists()
            .is_ok_and(|is_there| !is_there)
    {
        let uri = immutable(path);
        return read_only(&uri, OpenFlags::SQLITE_OPEN_URI);
    }
    opened
}

/// Opened, and found to be a database: SQLite reads the file only at the first query.
fn read_only(path: &Path, more: OpenFlags) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    is_known(&connection)?;
    let mut statement =
        connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'")?;
    let tables = statement.query_map([], |row| row.get::<_, String>(0))?;
    let tables = tables.collect::<Result<Vec<_>, _>>()?;
    drop(statement);
    let has = |name: &str| tables.iter().any(|table| table == name);
    let view = HEARTBEAT_OF_OLD.iter().find(|(table, _)| has(table));
    if let Some((_, view)) = view.filter(|_| !has("heartbeat")) {
        connection.execute_batch(view)?;
    }
    Ok(connection)
}

/// The URI of a file that no process writes.
fn immutable(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_no_folder| path.to_owned());
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/.-_".contains(byte);
    let escaped = |byte: &u8| match byte {
        byte if plain(byte) => char::from(*byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    let path: String = path.as_os_str().as_bytes().iter().map(escaped).collect();
    format!("file://{path}?immutable=1").into()
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// SQLite says of all of these that it is unable to open the file.
pub(super) fn readable(path: &Path) -> Result<(), Error> {
    let shown = || path.display().to_string();
    let metadata = File::open(path).and_then(|file| file.metadata());
    match metadata {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err(Error::NoFile(shown())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Missing(shown())),
        Err(error) => Err(Error::Unreadable {
            path: shown(),
            error,
        }),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::OptionalExtension as _;

    use super::*;

    #[test]
    fn the_newest_layout_is_the_last_one() {
        assert_eq!(usize::try_from(LAYOUT), Ok(LAYOUTS.len()));
    }

    #[test]
    fn any_path_can_be_opened_as_immutable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a b?mode=rw#%41é.db");
        drop(for_writing(&path).unwrap());
        let connection = read_only(&immutable(&path), OpenFlags::SQLITE_OPEN_URI).unwrap();
        let tables = "SELECT count(*) FROM sqlite_master WHERE name IN ('event', 'heartbeat')";
        let found: i64 = connection.query_row(tables, [], |row| row.get(0)).unwrap();
        assert_eq!(found, 2);
        assert!(!beside(&path, "-wal").exists() && !beside(&path, "-shm").exists());
    }

    #[test]
    fn an_old_history_keeps_its_rows_and_can_be_read_before_it_is_migrated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.db");
        let insert = "INSERT INTO event VALUES (1, 'x', 'b', 'taint', 5, 9, NULL, '{}')";
        let beat = "INSERT INTO alive VALUES ('b', 7, 8)";
        let rows = |connection: &Connection| {
            let query =
                "SELECT heartbeat.time_ns, boottime_ns FROM heartbeat JOIN event USING (boot_id)";
            let rows = connection.query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?)));
            rows.optional().unwrap()
        };
        for (schema, expected) in [(1, None), (2, Some((7_i64, 8_i64)))] {
            _ = std::fs::remove_file(&path);
            let mut old = Connection::open(&path).unwrap();
            migrations().to_version(&mut old, schema).unwrap();
            old.execute_batch(insert).unwrap();
            if expected.is_some() {
                old.execute_batch(beat).unwrap();
            }
            drop(old);
            assert_eq!(rows(&for_reading(&path).unwrap()), expected);
            assert_eq!(rows(&for_writing(&path).unwrap().0), expected);
            assert_eq!(rows(&for_reading(&path).unwrap()), expected);
        }
    }
}
