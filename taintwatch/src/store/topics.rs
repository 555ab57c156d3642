//! Which topics a filter lets pass, and the events of topics.
//!
//! In: a connection, a filter. Out: topics, and the numbers of their events. What is found by them may still not pass: the
//! filter has the last word on each event.

use rusqlite::{Connection, params};

use super::{Filter, error::Failure, reader::nanoseconds, topic::event_of};
use crate::event::{Event, Kind, Time};

/// A topic as it is stored.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) boot: i64,
    pub(super) kind: String,
    pub(super) bit: Option<u32>,
    pub(super) is_landmark: bool,
    pub(super) is_import: bool,
    pub(super) head: String,
    pub(super) events: u64,
    pub(super) occurrences: u64,
    pub(super) removed: u64,
    pub(super) first: i64,
    pub(super) last: i64,
}

/// Every topic.
pub(super) fn all(db: &Connection) -> Result<Vec<Stored>, Failure> {
    let query = "SELECT id, boot, kind, bit, is_landmark, is_import, head, events, occurrences, removed, first, last
        FROM topic ORDER BY first";
    let mut statement = db.prepare_cached(query)?;
    let topics = statement.query_map([], |row| {
        Ok(Stored {
            id: row.get(0)?,
            boot: row.get(1)?,
            kind: row.get(2)?,
            bit: row.get(3)?,
            is_landmark: row.get(4)?,
            is_import: row.get(5)?,
            head: row.get(6)?,
            events: row.get(7)?,
            occurrences: row.get(8)?,
            removed: row.get(9)?,
            first: row.get(10)?,
            last: row.get(11)?,
        })
    })?;
    Ok(topics.collect::<Result<_, _>>()?)
}

/// Those whose events may pass.
pub(super) fn passing<'a>(
    topics: impl IntoIterator<Item = &'a Stored>,
    filter: &Filter,
) -> Vec<i64> {
    let passes = |topic: &&Stored| {
        filter.passes_any_topic() || topic.event().is_none_or(|head| filter.passes_topic(&head))
    };
    let topics = topics.into_iter().filter(passes);
    topics.map(|topic| topic.id).collect()
}

/// The events of topics at the times of a filter, and all that this program cannot read: number and topic, in order.
pub(super) fn sequence(
    db: &Connection,
    topics: &[i64],
    filter: &Filter,
) -> Result<Vec<(i64, Option<i64>)>, Failure> {
    let since = filter.since.map_or(i64::MIN, |at| nanoseconds(Time(at.0)));
    let until = filter.until.map_or(i64::MAX, |at| nanoseconds(Time(at.0)));
    let mut found = Vec::new();
    let query = "SELECT seq FROM event WHERE topic = ?1 AND time_ns BETWEEN ?2 AND ?3";
    let mut statement = db.prepare_cached(query)?;
    for topic in topics {
        let mut rows = statement.query(params![topic, since, until])?;
        while let Some(row) = rows.next()? {
            found.push((row.get(0)?, Some(*topic)));
        }
    }
    let mut statement = db.prepare_cached("SELECT seq FROM event WHERE topic IS NULL")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        found.push((row.get(0)?, None));
    }
    found.sort_unstable();
    Ok(found)
}

impl Stored {
    /// It sets a flag that was set already.
    pub(super) fn is_repeat(&self) -> bool {
        !self.is_landmark && self.kind == Kind::Taint.as_str()
    }

    /// What its events have in common.
    pub(super) fn event(&self) -> Option<Event> {
        event_of(&self.head, &self.kind, self.bit)
    }
}
