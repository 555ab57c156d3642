//! Rows of the history -> events.
//!
//! In: rows as SQLite gives them. Out: events. A row that is no event is left out, and a sentence says so: one of them does
//! not hide the others. What rows have in common is read once and remembered, up to a bound.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use rusqlite::{Connection, OptionalExtension as _, Row, types::ValueRef};

use super::codec::Decoder;
use crate::event::{Event, SCHEMA, Time};

/// The columns that an event is made of, in this order.
pub(super) const COLUMNS: &str = "seq, origin, name, topic, base, time_ns, boottime_ns, pid, body";
/// Texts of each kind that are remembered.
const REMEMBERED: usize = 1024;

/// Reads rows.
#[derive(Default)]
pub(super) struct Reader {
    known: RefCell<Known>,
    left_out: RefCell<Option<LeftOut>>,
}

#[derive(Default)]
struct Known {
    decoder: Decoder,
    topics: HashMap<i64, Rc<Topic>>,
    bases: HashMap<i64, Rc<str>>,
    origins: HashMap<i64, Rc<str>>,
}

/// What the rows of a topic have in common.
struct Topic {
    head: String,
    kind: String,
    boot_id: Option<String>,
    host: Option<String>,
}

#[derive(Debug)]
struct LeftOut {
    rows: u64,
    first: String,
}

/// What is stored of an event beside its text.
pub(super) struct Place<'a> {
    pub(super) seq: u64,
    pub(super) id: &'a str,
    pub(super) kind: &'a str,
    pub(super) boot_id: Option<&'a str>,
    pub(super) host: Option<&'a str>,
    pub(super) time_ns: i64,
    pub(super) boottime_ns: Option<i64>,
    pub(super) pid: Option<u32>,
}

impl Place<'_> {
    /// The text that its event's text is like. It never changes: what is stored is made small by it.
    pub(super) fn text(&self) -> String {
        let Self { seq, id, kind, .. } = self;
        let host = self.host.unwrap_or_default();
        let boot_id = self.boot_id.unwrap_or_default();
        let time = jiff::Timestamp::from_nanosecond(self.time_ns.into()).unwrap_or_default();
        let boottime = self.boottime_ns.unwrap_or_default();
        let pid = self.pid.unwrap_or_default();
        format!(
            "(pid {pid}){{\"pid\":{pid},\"tid\":{pid},{{\"schema\":1,\"id\":\"{id}\",\"seq\":{seq},\"kind\":\"{kind}\",\
             \"host\":\"{host}\",\"boot_id\":\"{boot_id}\",\"time\":\"{time:.9}\",\"boottime_ns\":{boottime},"
        )
    }
}

impl Reader {
    /// The event of a row; `None` where it is none.
    pub(super) fn event(&self, db: &Connection, row: &Row<'_>) -> rusqlite::Result<Option<Event>> {
        let seq: i64 = row.get(0)?;
        let text = self.text(db, row)?;
        match text.and_then(|text| decode(&text)) {
            Ok(event) => Ok(Some(event)),
            Err(why) => {
                let mut left_out = self.left_out.borrow_mut();
                let left_out = left_out.get_or_insert_with(|| LeftOut {
                    rows: 0,
                    first: format!("event {seq}: {why}"),
                });
                left_out.rows += 1;
                Ok(None)
            }
        }
    }

    /// The text of a row, or why there is none.
    pub(super) fn text(
        &self,
        db: &Connection,
        row: &Row<'_>,
    ) -> rusqlite::Result<Result<String, String>> {
        let mut known = self.known.borrow_mut();
        let topic = row.get::<_, Option<i64>>(3)?;
        let topic = topic.map(|id| known.topic(db, id)).transpose()?.flatten();
        let base = row.get::<_, Option<i64>>(4)?;
        let base = match base.map(|id| known.base(db, id)).transpose()? {
            Some(Err(why)) => return Ok(Err(why)),
            Some(Ok(text)) => Some(text),
            None => None,
        };
        let origin = known.origin(db, row.get(1)?)?;
        let ValueRef::Text(name) = row.get_ref(2)? else {
            return Ok(Err("its id is no text".to_owned()));
        };
        let id = format!("{origin}{}", String::from_utf8_lossy(name));
        let place = topic.as_deref().map(|topic| Place {
            seq: row.get(0).unwrap_or_default(),
            id: &id,
            kind: &topic.kind,
            boot_id: topic.boot_id.as_deref(),
            host: topic.host.as_deref(),
            time_ns: row.get(5).unwrap_or_default(),
            boottime_ns: row.get(6).unwrap_or_default(),
            pid: row.get(7).unwrap_or_default(),
        });
        let place = place.map(|place| place.text());
        let head = topic.as_deref().map(|topic| topic.head.as_str());
        let like = [base.as_deref(), head, place.as_deref()];
        let like: Vec<_> = like.into_iter().flatten().collect();
        let ValueRef::Blob(body) = row.get_ref(8)? else {
            return Ok(Err("it is no text of an event".to_owned()));
        };
        Ok(known.decoder.decode(body, &like))
    }

    /// The text of the event with this number.
    pub(super) fn text_of(&self, db: &Connection, seq: i64) -> rusqlite::Result<Option<String>> {
        let query = format!("SELECT {COLUMNS} FROM event WHERE seq = ?1");
        let mut statement = db.prepare_cached(&query)?;
        let text = statement.query_row([seq], |row| self.text(db, row));
        Ok(text.optional()?.and_then(Result::ok))
    }

    /// The text that events are like.
    pub(super) fn base(&self, db: &Connection, id: i64) -> rusqlite::Result<Option<Rc<str>>> {
        Ok(self.known.borrow_mut().base(db, id)?.ok())
    }

    /// What was left out since the last call.
    pub(super) fn left_out(&self) -> Option<String> {
        let LeftOut { rows, first } = self.left_out.take()?;
        Some(match rows {
            1 => format!("1 event of the history could not be read and is left out: {first}"),
            rows => format!(
                "{rows} events of the history could not be read and are left out; the first, {first}"
            ),
        })
    }

    /// Forgets what a transaction may have taken back.
    pub(super) fn forget(&self) {
        *self.known.borrow_mut() = Known::default();
    }
}

impl Known {
    fn topic(&mut self, db: &Connection, id: i64) -> rusqlite::Result<Option<Rc<Topic>>> {
        if let Some(known) = self.topics.get(&id) {
            return Ok(Some(Rc::clone(known)));
        }
        let query = "SELECT head, kind, boot_id, host FROM topic LEFT JOIN boot ON boot.id = topic.boot WHERE topic.id = ?1";
        let mut statement = db.prepare_cached(query)?;
        let topic = statement.query_row([id], |row| {
            Ok(Topic {
                head: lossy(row.get_ref(0)?),
                kind: lossy(row.get_ref(1)?),
                boot_id: row.get(2)?,
                host: row.get(3)?,
            })
        });
        let Some(topic) = topic.optional()?.map(Rc::new) else {
            return Ok(None);
        };
        remember(&mut self.topics, id, &topic);
        Ok(Some(topic))
    }

    fn base(&mut self, db: &Connection, id: i64) -> rusqlite::Result<Result<Rc<str>, String>> {
        if let Some(known) = self.bases.get(&id) {
            return Ok(Ok(Rc::clone(known)));
        }
        let mut statement = db.prepare_cached("SELECT body FROM base WHERE id = ?1")?;
        let body: Option<Vec<u8>> = statement.query_row([id], |row| row.get(0)).optional()?;
        let Some(body) = body else {
            return Ok(Err("what it is like is missing".to_owned()));
        };
        let text = self.decoder.decode(&body, &[]);
        let text: Rc<str> = match text {
            Ok(text) => text.into(),
            Err(why) => return Ok(Err(format!("of what it is like, {why}"))),
        };
        remember(&mut self.bases, id, &text);
        Ok(Ok(text))
    }

    fn origin(&mut self, db: &Connection, id: i64) -> rusqlite::Result<Rc<str>> {
        if id == 0 {
            return Ok("".into());
        }
        if let Some(known) = self.origins.get(&id) {
            return Ok(Rc::clone(known));
        }
        let mut statement = db.prepare_cached("SELECT name FROM origin WHERE id = ?1")?;
        let name: Option<String> = statement.query_row([id], |row| row.get(0)).optional()?;
        let name: Rc<str> = name.unwrap_or_default().into();
        remember(&mut self.origins, id, &name);
        Ok(name)
    }
}

fn remember<T: ?Sized>(known: &mut HashMap<i64, Rc<T>>, id: i64, what: &Rc<T>) {
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert(id, Rc::clone(what));
}

/// A file of somebody else may hold anything.
fn lossy(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        _ => String::new(),
    }
}

/// The event of a text.
pub(super) fn decode(text: &str) -> Result<Event, String> {
    let event: Event = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if event.schema > SCHEMA {
        let schema = event.schema;
        return Err(format!(
            "it is of schema {schema}, and this program reads up to {SCHEMA}: use a newer taintwatch"
        ));
    }
    Ok(event)
}

/// A time as columns have it; one that they cannot have is the nearest that they can.
pub(super) fn nanoseconds(time: Time) -> i64 {
    let time = time.0.as_nanosecond();
    i64::try_from(time).unwrap_or(if time < 0 { i64::MIN } else { i64::MAX })
}
