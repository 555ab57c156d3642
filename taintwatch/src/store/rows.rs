//! The queries on the history's tables.
//!
//! In: a connection, and events or conditions. Out: events in the order of their sequence.

use rusqlite::{Connection, OptionalExtension as _, Params, params};

use super::{Filter, Write, error::Failure, unread::Unread};
use crate::event::{Event, Time};

/// Writes an event and gives it its sequence; false, and nothing written, when its id is there already.
pub(super) fn append(db: &mut Connection, event: &mut Event) -> Result<bool, Failure> {
    let transaction = db.transaction()?;
    let is_new = insert(&transaction, event)?;
    transaction.commit()?;
    Ok(is_new)
}

/// Writes all of it, or nothing; an event whose id is there already gets the sequence that it has.
pub(super) fn write<'a>(
    db: &mut Connection,
    all: impl Iterator<Item = &'a mut Write>,
) -> Result<(), Failure> {
    let transaction = db.transaction()?;
    for write in all {
        // What is to be amended may have been in another file.
        if !(write.is_amendment && amend(&transaction, &write.event)?) {
            insert(&transaction, &mut write.event)?;
        }
    }
    Ok(transaction.commit()?)
}

fn insert(db: &Connection, event: &mut Event) -> Result<bool, Failure> {
    let known: Option<u64> = db
        .query_row("SELECT seq FROM event WHERE id = ?1", [&event.id], |row| {
            row.get(0)
        })
        .optional()?;
    if let Some(seq) = known {
        event.seq = seq;
        return Ok(false);
    }
    event.seq = last_seq(db)? + 1;
    let body = serde_json::to_string(event)?;
    let nanoseconds = i64::try_from(event.time.0.as_nanosecond()).unwrap_or(i64::MAX);
    let bit = event.bit();
    let module = event.module_name();
    db.execute(
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
    Ok(true)
}

/// Writes an event in the place of the one with its id, if there is one; what it is about stays as it was.
pub(super) fn amend(db: &Connection, event: &Event) -> Result<bool, Failure> {
    let body = serde_json::to_string(event)?;
    let changed = db.execute(
        "UPDATE event SET module = ?3, body = ?4 WHERE id = ?1 AND seq = ?2",
        params![event.id, event.seq, event.module_name(), body],
    )?;
    Ok(changed > 0)
}

/// Notes that the daemon of this boot runs at this time.
pub(super) fn heartbeat(
    db: &Connection,
    boot_id: &str,
    time: Time,
    boottime_ns: u64,
) -> Result<(), Failure> {
    let time_ns = i64::try_from(time.0.as_nanosecond()).unwrap_or(i64::MAX);
    db.execute(
        "INSERT INTO heartbeat (boot_id, time_ns, boottime_ns) VALUES (?1, ?2, ?3)
         ON CONFLICT (boot_id) DO UPDATE SET time_ns = ?2, boottime_ns = ?3",
        params![boot_id, time_ns, boottime_ns],
    )?;
    Ok(())
}

/// The last heartbeat of a boot's daemon.
pub(super) fn last_heartbeat(
    db: &Connection,
    boot_id: &str,
) -> Result<Option<(Time, u64)>, Failure> {
    let query = "SELECT time_ns, boottime_ns FROM heartbeat WHERE boot_id = ?1";
    let row = db.query_row(query, [boot_id], |row| {
        Ok((row.get::<_, i64>(0)?, row.get(1)?))
    });
    let Some((time_ns, boottime_ns)) = row.optional()? else {
        return Ok(None);
    };
    let time = jiff::Timestamp::from_nanosecond(time_ns.into());
    Ok(time.ok().map(|time| (Time(time), boottime_ns)))
}

/// The events of a boot, oldest first.
pub(super) fn of_boot(
    db: &Connection,
    unread: &Unread,
    boot_id: &str,
) -> Result<Vec<Event>, Failure> {
    let query = "SELECT seq, body FROM event WHERE boot_id = ?1 ORDER BY seq";
    read(db, unread, query, [boot_id])
}

/// The boots that the history knows, in no order.
pub(super) fn boots(db: &Connection) -> Result<Vec<String>, Failure> {
    let query = "SELECT DISTINCT boot_id FROM event WHERE boot_id IS NOT NULL";
    let mut statement = db.prepare(query)?;
    let boots = statement.query_map([], |row| row.get(0))?;
    Ok(boots.collect::<Result<_, _>>()?)
}

/// The last time of a boot that the history knows, by an event or by a heartbeat.
pub(super) fn last_of(db: &Connection, boot_id: &str) -> Result<Option<(Time, u64)>, Failure> {
    let query = "SELECT time_ns, CASE WHEN json_valid(body) THEN body ->> '$.boottime_ns' END AS at FROM event
        WHERE boot_id = ?1 AND typeof(at) = 'integer' ORDER BY at DESC LIMIT 1";
    let row = db.query_row(query, [boot_id], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, u64>(1)?))
    });
    let event = row.optional()?.and_then(|(time_ns, at)| {
        let time = jiff::Timestamp::from_nanosecond(time_ns.into()).ok()?;
        Some((Time(time), at))
    });
    let heartbeat = last_heartbeat(db, boot_id)?;
    Ok(event.into_iter().chain(heartbeat).max_by_key(|(_, at)| *at))
}

/// The newest coverage event of each boot whose monitoring has no recorded end.
pub(super) fn unended(db: &Connection, unread: &Unread) -> Result<Vec<Event>, Failure> {
    let query = "SELECT seq, body FROM event AS newest WHERE kind = 'coverage'
        AND CASE WHEN json_valid(body) THEN body ->> '$.coverage.state' END <> 'ended'
        AND seq = (SELECT max(seq) FROM event
            WHERE kind = 'coverage' AND boot_id IS newest.boot_id AND json_valid(body))
        ORDER BY seq";
    read(db, unread, query, [])
}

/// The sequence of the last event; 0 where there is none.
pub(super) fn last_seq(db: &Connection) -> Result<u64, Failure> {
    let query = "SELECT coalesce(max(seq), 0) FROM event";
    Ok(db.query_row(query, [], |row| row.get(0))?)
}

/// The events after this sequence number, in order.
pub(super) fn after(db: &Connection, unread: &Unread, seq: u64) -> Result<Vec<Event>, Failure> {
    let query = "SELECT seq, body FROM event WHERE seq > ?1 ORDER BY seq";
    read(db, unread, query, [seq])
}

/// The events that `filter` lets pass, oldest first; with `last`, only so many of the newest.
pub(super) fn events(
    db: &Connection,
    unread: &Unread,
    filter: &Filter,
    last: Option<usize>,
) -> Result<Vec<Event>, Failure> {
    let mut statement = db.prepare("SELECT seq, body FROM event ORDER BY seq DESC")?;
    let mut rows = statement.query([])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        events.extend(unread.event(row)?.filter(|event| filter.passes(event)));
        if last.is_some_and(|last| events.len() >= last) {
            break;
        }
    }
    events.reverse();
    Ok(events)
}

/// The events of a query for their numbers and bodies.
fn read(
    db: &Connection,
    unread: &Unread,
    query: &str,
    conditions: impl Params,
) -> Result<Vec<Event>, Failure> {
    let mut statement = db.prepare(query)?;
    let mut rows = statement.query(conditions)?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        events.extend(unread.event(row)?);
    }
    Ok(events)
}
