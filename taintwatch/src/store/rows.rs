//! The queries on the history's tables.
//!
//! In: a connection, and events or conditions. Out: events in the order of their sequence.

use rusqlite::{Connection, OptionalExtension as _, Params, params};

use super::{
    Filter, Write,
    error::Failure,
    reader::{COLUMNS, Reader, nanoseconds},
    topics,
    writer::{Writer, time_of},
};
use crate::event::{Event, Time};

/// Writes an event and gives it its sequence; false, and nothing written, when its id is there already.
pub(super) fn append(
    db: &mut Connection,
    writer: &mut Writer,
    reader: &Reader,
    event: &mut Event,
) -> Result<bool, Failure> {
    let transaction = db.transaction()?;
    let is_new = insert(&transaction, writer, reader, event)?;
    transaction.commit()?;
    Ok(is_new)
}

/// Writes all of it, or nothing; an event whose id is there already gets the sequence that it has.
pub(super) fn write<'a>(
    db: &mut Connection,
    writer: &mut Writer,
    reader: &Reader,
    all: impl Iterator<Item = &'a mut Write>,
) -> Result<(), Failure> {
    let transaction = db.transaction()?;
    for write in all {
        // What is to be amended may have been in another file.
        if !(write.is_amendment && writer.amend(&transaction, reader, &write.event)?) {
            insert(&transaction, writer, reader, &mut write.event)?;
        }
    }
    Ok(transaction.commit()?)
}

fn insert(
    db: &Connection,
    writer: &mut Writer,
    reader: &Reader,
    event: &mut Event,
) -> Result<bool, Failure> {
    if let Some(seq) = writer.known(db, &event.id)? {
        event.seq = seq;
        return Ok(false);
    }
    event.seq = last_seq(db)? + 1;
    writer.insert(db, reader, event)?;
    Ok(true)
}

/// Writes an event in the place of the one with its id, if there is one.
pub(super) fn amend(
    db: &mut Connection,
    writer: &mut Writer,
    reader: &Reader,
    event: &Event,
) -> Result<bool, Failure> {
    let transaction = db.transaction()?;
    let is_there = writer.amend(&transaction, reader, event)?;
    transaction.commit()?;
    Ok(is_there)
}

/// Notes that the daemon of this boot runs at this time.
pub(super) fn heartbeat(
    db: &Connection,
    boot_id: &str,
    time: Time,
    boottime_ns: u64,
) -> Result<(), Failure> {
    db.execute(
        "INSERT INTO heartbeat (boot_id, time_ns, boottime_ns) VALUES (?1, ?2, ?3)
         ON CONFLICT (boot_id) DO UPDATE SET time_ns = ?2, boottime_ns = ?3",
        params![boot_id, nanoseconds(time), boottime_ns],
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
        Ok((time_of(row.get(0)?), row.get(1)?))
    });
    Ok(row.optional()?)
}

/// The events of a boot, oldest first.
pub(super) fn of_boot(
    db: &Connection,
    reader: &Reader,
    boot_id: &str,
) -> Result<Vec<Event>, Failure> {
    let query = format!(
        "SELECT {COLUMNS} FROM event WHERE topic IN (
             SELECT topic.id FROM boot JOIN topic ON topic.boot = boot.id WHERE boot_id = ?1)
         UNION ALL SELECT {COLUMNS} FROM event WHERE topic IS NULL
         ORDER BY seq"
    );
    read(db, reader, &query, [boot_id])
}

/// The boots that the history knows, in no order.
pub(super) fn boots(db: &Connection) -> Result<Vec<String>, Failure> {
    let query = "SELECT DISTINCT boot_id FROM boot WHERE boot_id IS NOT NULL
        AND EXISTS (SELECT 1 FROM topic WHERE topic.boot = boot.id)";
    let mut statement = db.prepare(query)?;
    let boots = statement.query_map([], |row| row.get(0))?;
    Ok(boots.collect::<Result<_, _>>()?)
}

/// The last time of a boot that the history knows, by an event or by a heartbeat.
pub(super) fn last_of(db: &Connection, boot_id: &str) -> Result<Option<(Time, u64)>, Failure> {
    // Events of a topic that are no landmarks come in the order of their time.
    let query = "WITH own AS (
            SELECT topic.id, is_landmark, last FROM boot JOIN topic ON topic.boot = boot.id WHERE boot_id = ?1)
        SELECT time_ns, boottime_ns FROM event WHERE boottime_ns IS NOT NULL
            AND (seq IN (SELECT last FROM own) OR topic IN (SELECT id FROM own WHERE is_landmark))
        ORDER BY boottime_ns DESC LIMIT 1";
    let row = db.query_row(query, [boot_id], |row| {
        Ok((time_of(row.get(0)?), row.get::<_, u64>(1)?))
    });
    let heartbeat = last_heartbeat(db, boot_id)?;
    let event = row.optional()?;
    Ok(event.into_iter().chain(heartbeat).max_by_key(|(_, at)| *at))
}

/// The newest coverage event of each boot whose monitoring has no recorded end.
pub(super) fn unended(db: &Connection, reader: &Reader) -> Result<Vec<Event>, Failure> {
    let query = format!(
        "WITH newest AS (
             SELECT max(last) AS seq, CASE WHEN json_valid(head) THEN head ->> '$.w' END AS state
             FROM topic LEFT JOIN boot ON boot.id = topic.boot WHERE kind = 'coverage' GROUP BY boot_id)
         SELECT {COLUMNS} FROM event WHERE seq IN (SELECT seq FROM newest WHERE state <> 'ended') ORDER BY seq"
    );
    read(db, reader, &query, [])
}

/// The sequence of the last event that was recorded; 0 where there is none. What was removed had its number, too.
pub(super) fn last_seq(db: &Connection) -> Result<u64, Failure> {
    let query = "SELECT max(coalesce((SELECT max(seq) FROM event), 0), coalesce((SELECT until_seq FROM removal), 0))";
    Ok(db.prepare_cached(query)?.query_row([], |row| row.get(0))?)
}

/// The events after this sequence number, in order.
pub(super) fn after(db: &Connection, reader: &Reader, seq: u64) -> Result<Vec<Event>, Failure> {
    let query = format!("SELECT {COLUMNS} FROM event WHERE seq > ?1 ORDER BY seq");
    read(db, reader, &query, [seq])
}

/// The events that `filter` lets pass, oldest first; with `last`, only so many of the newest.
pub(super) fn events(
    db: &Connection,
    reader: &Reader,
    filter: &Filter,
    last: Option<usize>,
) -> Result<Vec<Event>, Failure> {
    let mut events = Vec::new();
    let mut take = |event: Option<Event>| {
        events.extend(event.filter(|event| filter.passes(event)));
        last.is_some_and(|last| events.len() >= last)
    };
    if filter.is_open() {
        let query = format!("SELECT {COLUMNS} FROM event ORDER BY seq DESC");
        let mut statement = db.prepare(&query)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if take(reader.event(db, row)?) {
                break;
            }
        }
    } else {
        // One state of the history for all queries.
        let db = db.unchecked_transaction()?;
        let topics = topics::passing(&topics::all(&db)?, filter);
        for (seq, _) in topics::sequence(&db, &topics, filter)?.into_iter().rev() {
            if take(of_seq(&db, reader, seq)?) {
                break;
            }
        }
    }
    events.reverse();
    Ok(events)
}

/// The event with this number, if there is one that can be read.
pub(super) fn of_seq(db: &Connection, reader: &Reader, seq: i64) -> Result<Option<Event>, Failure> {
    let query = format!("SELECT {COLUMNS} FROM event WHERE seq = ?1");
    let mut statement = db.prepare_cached(&query)?;
    let event = statement.query_row([seq], |row| reader.event(db, row));
    Ok(event.optional()?.flatten())
}

/// The events of a query for their columns.
fn read(
    db: &Connection,
    reader: &Reader,
    query: &str,
    conditions: impl Params,
) -> Result<Vec<Event>, Failure> {
    let mut statement = db.prepare(query)?;
    let mut rows = statement.query(conditions)?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        events.extend(reader.event(db, row)?);
    }
    Ok(events)
}
