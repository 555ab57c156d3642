//! Events of an older layout -> rows of this one.
//!
//! In: the tables of a file that an earlier version wrote. Out: the same events in the tables of today, in the same
//! transaction or in a file of their own. One event at a time: a large history takes no more memory than a small one.

use rusqlite::{Connection, Row, Transaction, params};
use rusqlite_migration::{HookError, HookResult};

use super::{
    codec,
    error::Failure,
    reader::{self, Reader},
    writer::Writer,
};

/// After the tables were made and the old one was renamed.
pub(super) fn in_place(transaction: &Transaction<'_>) -> HookResult {
    let hook = |failure| match failure {
        Failure::Sqlite(error) => HookError::RusqliteError(error),
        other => HookError::Hook(other.to_string()),
    };
    copy(transaction, "event_3", transaction).map_err(hook)?;
    Ok(transaction.execute_batch("DROP TABLE event_3")?)
}

/// Copies all events of a table of the first layouts.
pub(super) fn copy(from: &Connection, table: &str, to: &Connection) -> Result<(), Failure> {
    let query = format!("SELECT seq, id, time_ns, body FROM {table} ORDER BY seq");
    let mut statement = from.prepare(&query)?;
    let mut rows = statement.query([])?;
    let mut writer = Writer::default();
    let reader = Reader::default();
    while let Some(row) = rows.next()? {
        let text: Result<String, _> = row.get(3);
        let event = text.ok().and_then(|text| reader::decode(&text).ok());
        let seq: i64 = row.get(0)?;
        match event {
            Some(mut event) => {
                event.seq = seq.cast_unsigned();
                writer.insert(to, &reader, &event)?;
            }
            None => unreadable(row, to)?,
        }
    }
    Ok(())
}

/// Copies the last heartbeats.
pub(super) fn copy_heartbeats(
    from: &Connection,
    table: &str,
    to: &Connection,
) -> Result<(), Failure> {
    let query = format!("SELECT boot_id, time_ns, boottime_ns FROM {table}");
    let mut statement = from.prepare(&query)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let row: (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        to.execute("INSERT INTO heartbeat VALUES (?1, ?2, ?3)", row)?;
    }
    Ok(())
}

/// Another version may read what this one cannot: it is kept as it is.
fn unreadable(row: &Row<'_>, to: &Connection) -> Result<(), Failure> {
    let body = row.get_ref(3)?;
    let body = body.as_bytes().map(String::from_utf8_lossy);
    let body = body.unwrap_or_default();
    to.execute(
        "INSERT INTO event (seq, origin, name, time_ns, body) VALUES (?1, 0, ?2, ?3, ?4)",
        params![
            row.get::<_, i64>(0)?,
            String::from_utf8_lossy(row.get_ref(1)?.as_bytes().unwrap_or_default()),
            row.get::<_, i64>(2)?,
            codec::plain(&body)
        ],
    )?;
    Ok(())
}
