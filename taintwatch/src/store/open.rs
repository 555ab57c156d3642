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

use super::{
    access,
    error::{Error, Failure, is_refused},
    layout::{LAYOUT, migrations},
    migrate,
};

/// A file that was opened.
pub(super) struct Opened {
    pub(super) db: Connection,
    /// To write. It may be closed only after the connection: closing it releases every lock that this process has on it.
    pub(super) file: Option<File>,
    /// It is a copy in this program's layout.
    pub(super) is_copy: bool,
}

/// Every query that is asked again and again stays prepared.
const PREPARED: usize = 64;

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
pub(super) fn for_writing(path: &Path) -> Result<Opened, Failure> {
    let file = access::history(path).map_err(Failure::Open)?;
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE_TO_WRITE)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    is_known(&connection)?;
    // Before the first table: then the file gives back what was removed from it.
    connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
    // FULL: an event is on the disk before it is published.
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
    migrations().to_latest(&mut connection)?;
    give_back(&connection);
    Ok(Opened {
        db: connection,
        file: Some(file),
        is_copy: false,
    })
}

/// A file that an earlier version made is written anew, once: only then does it give back what is removed from it.
fn give_back(connection: &Connection) {
    const INCREMENTAL: i64 = 2;
    let mode = connection.query_row("PRAGMA auto_vacuum", [], |row| row.get::<_, i64>(0));
    if mode == Ok(INCREMENTAL) {
        return;
    }
    let done = connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM;");
    if let Err(error) = done {
        log::warn!(
            "the history keeps its size on the disk ({error}): it is tried again at the next start"
        );
    }
}

/// Refuses the layout of a newer program.
fn is_known(connection: &Connection) -> Result<i64, Failure> {
    let layout = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if layout > LAYOUT {
        return Err(Failure::NewerLayout(layout, LAYOUT));
    }
    Ok(layout)
}

/// To read, also without the right to write: SQLite wants to make files beside the history, and does not need them
/// while no process writes.
pub(super) fn for_reading(path: &Path) -> Result<Opened, Failure> {
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
fn read_only(path: &Path, more: OpenFlags) -> Result<Opened, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    let is_copy = is_known(&connection)? != LAYOUT;
    let db = if is_copy {
        in_this_layout(&connection)?
    } else {
        connection
    };
    Ok(Opened {
        db,
        file: None,
        is_copy,
    })
}

/// A reader does not migrate the file: it reads a copy, which ends with it. A file that a recorder has just made, and
/// that has no table yet, is a history without events.
fn in_this_layout(old: &Connection) -> Result<Connection, Failure> {
    // One state for all queries.
    let old = old.unchecked_transaction()?;
    let mut copy = Connection::open("")?;
    copy.set_prepared_statement_cache_capacity(PREPARED);
    migrations().to_latest(&mut copy)?;
    let writing = copy.transaction()?;
    let has = |name: &str| -> Result<bool, Failure> { Ok(old.table_exists(None, name)?) };
    let tables = "SELECT count(*) FROM sqlite_master";
    let is_new = old.query_row(tables, [], |row| row.get::<_, i64>(0))? == 0;
    if !is_new {
        migrate::copy(&old, "event", &writing)?;
    }
    for table in ["alive", "heartbeat"] {
        if has(table)? {
            migrate::copy_heartbeats(&old, table, &writing)?;
        }
    }
    writing.commit()?;
    Ok(copy)
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
    use super::*;

    #[test]
    fn any_path_can_be_opened_as_immutable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a b?mode=rw#%41é.db");
        drop(for_writing(&path).unwrap());
        let connection = read_only(&immutable(&path), OpenFlags::SQLITE_OPEN_URI).unwrap();
        let tables = "SELECT count(*) FROM sqlite_master WHERE name IN ('event', 'heartbeat')";
        let found: i64 = connection
            .db
            .query_row(tables, [], |row| row.get(0))
            .unwrap();
        assert_eq!(found, 2);
        assert!(!beside(&path, "-wal").exists() && !beside(&path, "-shm").exists());
    }
}
