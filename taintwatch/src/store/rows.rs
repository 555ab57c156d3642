//! The queries on the history's tables.
//!
//! In: a connection, and events or conditions. Out: events in the order of their sequence.

use rusqlite::{Connection, OptionalExtension as _, Params, params};

use super::{Filter, error::Failure};
use crate::event::{Event, SCHEMA, Time};

/// Writes an event and gives it its sequence; false, and nothing written, when its id is there already.
pub(super) fn append(db: &mut Connection, event: &mut Event) -> Result<bool, Failure> {
    let transaction = db.transaction()?;
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
    let bit = event.bit();
    let module = event.module_name();
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

/// Writes an event in the place of the one with its sequence; what it is about stays as it was.
pub(super) fn amend(db: &Connection, event: &Event) -> Result<(), Failure> {
    let body = serde_json::to_string(event)?;
    db.execute(
        "UPDATE event SET module = ?2, body = ?3 WHERE seq = ?1",
        params![event.seq, event.module_name(), body],
    )?;
    Ok(())
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
pub(super) fn of_boot(db: &Connection, boot_id: &str) -> Result<Vec<Event>, Failure> {
    let query = "SELECT body FROM event WHERE boot_id = ?1 ORDER BY seq";
    read(db, query, [boot_id])
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
    let query = "SELECT time_ns, body ->> '$.boottime_ns' AS at FROM event
        WHERE boot_id = ?1 AND at IS NOT NULL ORDER BY at DESC LIMIT 1";
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
pub(super) fn unended(db: &Connection) -> Result<Vec<Event>, Failure> {
    let query = "SELECT body FROM event AS newest WHERE kind = 'coverage'
        AND body ->> '$.coverage.state' <> 'ended'
        AND seq = (SELECT max(seq) FROM event
            WHERE kind = 'coverage' AND boot_id IS newest.boot_id)
        ORDER BY seq";
    read(db, query, [])
}

/// The sequence of the last event; 0 where there is none.
pub(super) fn last_seq(db: &Connection) -> Result<u64, Failure> {
    let query = "SELECT coalesce(max(seq), 0) FROM event";
    Ok(db.query_row(query, [], |row| row.get(0))?)
}

/// The events after this sequence number, in order.
pub(super) fn after(db: &Connection, seq: u64) -> Result<Vec<Event>, Failure> {
    read(
        db,
        "SELECT body FROM event WHERE seq > ?1 ORDER BY seq",
        [seq],
    )
}

/// The events that `filter` lets pass, oldest first; with `last`, only so many of the newest.
pub(super) fn events(
    db: &Connection,
    filter: &Filter,
    last: Option<usize>,
) -> Result<Vec<Event>, Failure> {
    let mut statement = db.prepare("SELECT body FROM event ORDER BY seq DESC")?;
    let bodies = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut events = Vec::new();
    for body in bodies {
        let event = event(&body?)?;
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

/// The events of a query, each a body.
fn read(db: &Connection, query: &str, conditions: impl Params) -> Result<Vec<Event>, Failure> {
    let mut statement = db.prepare(query)?;
    let bodies = statement.query_map(conditions, |row| row.get::<_, String>(0))?;
    bodies.map(|body| event(&body?)).collect()
}

/// An event that this program can read.
fn event(body: &str) -> Result<Event, Failure> {
    let event: Event = serde_json::from_str(body)?;
    if event.schema > SCHEMA {
        return Err(Failure::Newer(event.schema));
    }
    Ok(event)
}
