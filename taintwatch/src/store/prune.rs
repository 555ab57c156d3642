//! Removes what the limits of the configuration do not let stay.
//!
//! In: a connection, the limits. Out: a smaller history that says what it had, in steps of bounded work. What is removed at
//! one time is one transaction; the file gives its space back.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    error::Failure,
    reader::nanoseconds,
    retention::{Boot, Limits, Step, What, plan},
    writer::time_of,
};
use crate::event::{Kind, Time};

/// Events of one transaction, and pages that are given back after it.
const AT_ONCE: u32 = 500;
const PAGES: u32 = 500;

/// What was removed from a history so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    pub events: u64,
    /// No later event was removed.
    pub until: Time,
    /// When the last one was removed.
    pub at: Time,
}

/// What has been removed, if anything has.
pub(super) fn removed(db: &Connection) -> Result<Option<Removed>, Failure> {
    let query = "SELECT events, until_ns, at_ns FROM removal";
    let row = db.query_row(query, [], |row| {
        Ok(Removed {
            events: row.get(0)?,
            until: time_of(row.get(1)?),
            at: time_of(row.get(2)?),
        })
    });
    Ok(row.optional()?)
}

/// Removes for so long what is beyond the limits; how many events it was.
pub(super) fn prune(
    db: &mut Connection,
    running: &str,
    limits: Limits,
    now: Time,
    time: Duration,
) -> Result<u64, Failure> {
    let began = Instant::now();
    let mut events = 0;
    for Step {
        what,
        only_if_large,
    } in plan(&boots(db, running)?, limits, now)
    {
        loop {
            if began.elapsed() > time {
                return Ok(events);
            }
            if only_if_large
                && limits
                    .bytes
                    .is_some_and(|most| used(db).is_ok_and(|used| used <= most))
            {
                return Ok(events);
            }
            let transaction = db.transaction()?;
            let some = remove(&transaction, what, now)?;
            transaction.commit()?;
            give_back(db)?;
            events += some;
            if some == 0 {
                break;
            }
        }
    }
    Ok(events)
}

/// The boots, oldest first.
fn boots(db: &Connection, running: &str) -> Result<Vec<Boot>, Failure> {
    let query = "SELECT boot.id, boot_id IS ?1, coalesce(
            (SELECT max(time_ns) FROM event WHERE seq IN (SELECT last FROM topic WHERE topic.boot = boot.id)), 0)
        FROM boot ORDER BY (SELECT max(last) FROM topic WHERE topic.boot = boot.id)";
    let mut statement = db.prepare_cached(query)?;
    let boots = statement.query_map([running], |row| {
        Ok(Boot {
            id: row.get(0)?,
            is_running: row.get(1)?,
            last: time_of(row.get(2)?),
        })
    })?;
    Ok(boots.collect::<Result<_, _>>()?)
}

/// The bytes that the tables take.
fn used(db: &Connection) -> Result<u64, Failure> {
    let pragma =
        |name: &str| db.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, u64>(0));
    let pages = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
    Ok(pages.saturating_mul(pragma("page_size")?))
}

fn give_back(db: &Connection) -> Result<(), Failure> {
    let mut statement = db.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

fn remove(db: &Connection, what: What, now: Time) -> Result<u64, Failure> {
    let (boot, topic) = match what {
        What::Boot(boot) => (boot, topic_of(db, boot, "1")?),
        What::Details(boot) => (boot, topic_of(db, boot, "NOT is_landmark")?),
        What::Repeats(boot, until) => return repeats(db, boot, until, now),
    };
    let Some(topic) = topic else {
        if matches!(what, What::Boot(_)) {
            forget(db, boot)?;
        }
        return Ok(0);
    };
    let query = "SELECT seq, time_ns FROM event WHERE topic = ?1 LIMIT ?2";
    let found = found(db, query, params![topic, AT_ONCE])?;
    let events = delete(db, &found, now)?;
    if found.len() < AT_ONCE as usize {
        db.execute("DELETE FROM topic WHERE id = ?1", [topic])?;
    } else {
        shrink(db, topic, events)?;
    }
    // A topic without events is work, too.
    Ok(events.max(1))
}

/// The topic of a boot whose events ended first.
fn topic_of(db: &Connection, boot: i64, which: &str) -> Result<Option<i64>, Failure> {
    let query = format!("SELECT id FROM topic WHERE boot = ?1 AND {which} ORDER BY last LIMIT 1");
    let mut statement = db.prepare_cached(&query)?;
    Ok(statement.query_row([boot], |row| row.get(0)).optional()?)
}

/// The oldest repeats; where there is no time to go by, of what has most.
fn repeats(db: &Connection, boot: i64, until: Option<Time>, now: Time) -> Result<u64, Failure> {
    let until = until.map_or(i64::MAX, nanoseconds);
    let taint = Kind::Taint.as_str();
    let query = format!(
        "SELECT id, last FROM topic WHERE boot = ?1 AND NOT is_landmark AND kind = '{taint}' AND events - removed > 1
         ORDER BY events - removed DESC"
    );
    let mut statement = db.prepare_cached(&query)?;
    let mut rows = statement.query([boot])?;
    while let Some(row) = rows.next()? {
        let (id, last): (i64, i64) = (row.get(0)?, row.get(1)?);
        let query = "SELECT seq, time_ns FROM event WHERE topic = ?1 AND time_ns < ?2 AND seq <> ?3
            ORDER BY time_ns LIMIT ?4";
        let found = found(db, query, params![id, until, last, AT_ONCE])?;
        if !found.is_empty() {
            let events = delete(db, &found, now)?;
            shrink(db, id, events)?;
            return Ok(events);
        }
    }
    Ok(0)
}

/// Numbers and times of events.
fn found(
    db: &Connection,
    query: &str,
    conditions: impl rusqlite::Params,
) -> Result<Vec<(i64, i64)>, Failure> {
    let mut statement = db.prepare_cached(query)?;
    let found = statement.query_map(conditions, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn delete(db: &Connection, found: &[(i64, i64)], now: Time) -> Result<u64, Failure> {
    let mut statement = db.prepare_cached("DELETE FROM event WHERE seq = ?1")?;
    for (seq, _) in found {
        statement.execute([seq])?;
    }
    let (Some(seq), Some(time)) = (
        found.iter().map(|(seq, _)| *seq).max(),
        found.iter().map(|(_, time)| *time).max(),
    ) else {
        return Ok(0);
    };
    let noted = "INSERT INTO removal VALUES (1, ?1, ?2, ?3, ?4) ON CONFLICT (id) DO UPDATE SET
        events = events + ?1, until_seq = max(until_seq, ?2), until_ns = max(until_ns, ?3), at_ns = ?4";
    let events = u64::try_from(found.len()).unwrap_or(u64::MAX);
    db.prepare_cached(noted)?
        .execute(params![events, seq, time, nanoseconds(now)])?;
    Ok(events)
}

/// Notes that a topic has fewer events than were recorded.
fn shrink(db: &Connection, topic: i64, events: u64) -> Result<(), Failure> {
    let update = "UPDATE topic SET removed = removed + ?2, first = coalesce(
        (SELECT seq FROM event WHERE topic = ?1 ORDER BY time_ns LIMIT 1), first) WHERE id = ?1";
    db.prepare_cached(update)?.execute(params![topic, events])?;
    Ok(())
}

/// Takes away what is left of a boot without events.
fn forget(db: &Connection, boot: i64) -> Result<(), Failure> {
    let heartbeat = "DELETE FROM heartbeat WHERE boot_id = (SELECT boot_id FROM boot WHERE id = ?1)
        AND (SELECT count(*) FROM boot AS other WHERE other.boot_id = heartbeat.boot_id) = 1";
    db.execute(heartbeat, [boot])?;
    for table in ["base", "clock_change"] {
        db.execute(&format!("DELETE FROM {table} WHERE boot = ?1"), [boot])?;
    }
    db.execute("DELETE FROM boot WHERE id = ?1", [boot])?;
    Ok(())
}
