//! Events -> rows of the history.
//!
//! In: events. Out: their rows, and the rows of what they have in common with others: boot, topic, origin of the name, and
//! now and then a base, an event's text that makes the texts of later ones small.

use std::{collections::HashMap, rc::Rc};

use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use super::{
    codec::Encoder,
    error::Failure,
    reader::{Place, Reader, nanoseconds},
    topic::Topic,
};
use crate::event::{Event, Kind, Mask, Time};

/// A text that takes more is worth a look for a better base.
const SMALL: usize = 160;
/// A base is made when so many events had use for it.
const WORTH: u64 = 3;
/// A longer text is no base, and so many are enough for a boot.
const LONGEST_BASE: usize = 16 << 10;
const MOST_BASES: i64 = 20_000;
/// The wall clock drifts against the boot's clock; a difference of so much means that it was set.
const SET_NS: u64 = 2_000_000_000;
/// Rows of each kind that are remembered.
const REMEMBERED: usize = 512;

/// Writes rows, and remembers those that come again. After a failure it has to forget them.
#[derive(Default)]
pub(super) struct Writer {
    encoder: Encoder,
    boots: HashMap<(Option<String>, Option<String>), Boot>,
    topics: HashMap<(i64, Topic), Written>,
    origins: HashMap<String, i64>,
    /// The last event of a kind in a boot, and the base for those whose topic has none.
    kinds: HashMap<(i64, Kind), Lately>,
    /// How many bases a boot has.
    bases: HashMap<i64, i64>,
}

#[derive(Clone, Copy)]
struct Boot {
    id: i64,
    mask: Mask,
    /// The clocks at its last event: the wall clock, and `CLOCK_BOOTTIME`.
    clocks: Option<(i64, i64)>,
}

#[derive(Clone, Copy)]
struct Written {
    id: i64,
    events: u64,
    last: i64,
    base: Option<i64>,
}

#[derive(Clone, Default)]
struct Lately {
    base: Option<i64>,
    text: Option<Rc<str>>,
    /// Events since the base was made.
    events: u64,
}

/// An event on its way: what its row is made of.
struct Row<'a> {
    event: &'a Event,
    boot: i64,
    topic: &'a Topic,
    time_ns: i64,
    boottime_ns: Option<i64>,
    pid: Option<u32>,
    text: String,
}

impl Writer {
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The number of the event with this id, if there is one.
    pub(super) fn known(&mut self, db: &Connection, id: &str) -> Result<Option<u64>, Failure> {
        let (origin, name) = split(id);
        let Some(origin) = self.origin(db, origin, false)? else {
            return Ok(None);
        };
        let query = "SELECT seq FROM event WHERE name = ?1 AND origin = ?2";
        let mut statement = db.prepare_cached(query)?;
        let seq = statement.query_row(params![name, origin], |row| row.get(0));
        Ok(seq.optional()?)
    }

    /// Writes an event that is not there, with the sequence that it has.
    pub(super) fn insert(
        &mut self,
        db: &Connection,
        reader: &Reader,
        event: &Event,
    ) -> Result<(), Failure> {
        let (origin, name) = split(&event.id);
        let origin = self.origin(db, origin, true)?.unwrap_or_default();
        let mut boot = self.boot(db, event)?;
        let shown = masks(event);
        let more = shown.minus(boot.mask);
        if more != Mask(0) {
            boot.mask = Mask(boot.mask.0 | more.0);
            let mask = boot.mask.0.cast_signed();
            let update = "UPDATE boot SET mask = ?2 WHERE id = ?1";
            db.prepare_cached(update)?.execute((boot.id, mask))?;
        }
        let topic = Topic::of(event, more != Mask(0))?;
        let row = Row::of(event, boot.id, &topic)?;
        if !topic.is_import {
            clock(db, &mut boot, &row)?;
        }
        self.boots.insert(name_of_boot(event), boot);
        let mut written = self.topic(db, &row)?;
        let (body, base) = self.body(db, reader, &row, &mut written)?;
        let insert =
            "INSERT INTO event (seq, origin, name, topic, base, time_ns, boottime_ns, pid, body)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        db.prepare_cached(insert)?.execute(params![
            event.seq,
            origin,
            name,
            written.id,
            base,
            row.time_ns,
            row.boottime_ns,
            row.pid,
            body
        ])?;
        written.last = event.seq.cast_signed();
        written.events += 1;
        let update = "UPDATE topic SET events = events + 1, last = max(last, ?2), base = ?4,
            occurrences = min(occurrences, 9223372036854775807 - ?3) + ?3 WHERE id = ?1";
        let count = occurrences(event);
        db.prepare_cached(update)?
            .execute(params![written.id, event.seq, count, written.base])?;
        remember(&mut self.topics, (boot.id, topic), written);
        Ok(())
    }

    /// Writes an event in the place of the one with its id, if there is one; how often it counts stays as it was.
    pub(super) fn amend(
        &mut self,
        db: &Connection,
        reader: &Reader,
        event: &Event,
    ) -> Result<bool, Failure> {
        if self.known(db, &event.id)? != Some(event.seq) {
            return Ok(false);
        }
        let query =
            "SELECT topic.id, is_landmark, is_import FROM event JOIN topic ON topic.id = topic
            WHERE seq = ?1";
        let before = db.prepare_cached(query)?.query_row([event.seq], |row| {
            Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?))
        });
        let Some((before, is_landmark, is_import)) = before.optional()? else {
            return Ok(false);
        };
        let mut topic = Topic::of(event, is_landmark)?;
        topic.is_import = is_import;
        let boot = self.boot(db, event)?;
        let row = Row::of(event, boot.id, &topic)?;
        let mut written = self.topic(db, &row)?;
        if written.id != before {
            let count = occurrences(event);
            move_event(db, (before, written.id), event.seq, count)?;
            self.topics.clear();
            reader.forget();
        }
        let (body, base) = self.body(db, reader, &row, &mut written)?;
        let update = "UPDATE event SET topic = ?2, base = ?3, pid = ?4, body = ?5, time_ns = ?6, boottime_ns = ?7
            WHERE seq = ?1";
        db.prepare_cached(update)?.execute(params![
            event.seq,
            written.id,
            base,
            row.pid,
            body,
            row.time_ns,
            row.boottime_ns
        ])?;
        Ok(true)
    }

    /// The text of a row made small, and the base that it is like.
    fn body(
        &mut self,
        db: &Connection,
        reader: &Reader,
        row: &Row<'_>,
        written: &mut Written,
    ) -> Result<(Vec<u8>, Option<i64>), Failure> {
        let kind = (row.boot, row.topic.kind);
        let mut lately = self.kinds.get(&kind).cloned().unwrap_or_default();
        let own = written.base;
        let base = own.or(lately.base);
        let base_text = match base {
            Some(id) => reader.base(db, id)?,
            None => None,
        };
        let base = base.filter(|_| base_text.is_some());
        let place = row.place();
        let bytes = self.encode(row, base_text.as_deref(), &place);
        let mut best = (bytes, base);
        if best.0.len() > SMALL {
            let previous = if written.events >= WORTH && written.last != row.event.seq.cast_signed()
            {
                reader.text_of(db, written.last)?.map(Rc::from)
            } else if lately.events >= WORTH && own.is_none() {
                lately.text.clone()
            } else {
                None
            };
            if let Some(text) = previous.filter(|text| text.len() <= LONGEST_BASE) {
                let other = self.encode(row, Some(&text), &place);
                if other.len() * 2 < best.0.len()
                    && let Some(id) = self.new_base(db, row.boot, &text)?
                {
                    best = (other, Some(id));
                    written.base = (written.events >= WORTH).then_some(id).or(written.base);
                    lately.base = Some(id);
                    lately.events = 0;
                }
            }
        }
        lately.events += 1;
        lately.text = Some(row.text.as_str().into());
        if self.kinds.len() > REMEMBERED {
            self.kinds.clear();
        }
        self.kinds.insert(kind, lately);
        Ok(best)
    }

    fn encode(&mut self, row: &Row<'_>, base: Option<&str>, place: &str) -> Vec<u8> {
        let like = [base, Some(row.topic.head.as_str()), Some(place)];
        let like: Vec<_> = like.into_iter().flatten().collect();
        self.encoder.encode(&row.text, &like)
    }

    fn new_base(&mut self, db: &Connection, boot: i64, text: &str) -> Result<Option<i64>, Failure> {
        let many = if let Some(known) = self.bases.get(&boot) {
            *known
        } else {
            let many = "SELECT count(*) FROM base WHERE boot = ?1";
            db.query_row(many, [boot], |row| row.get(0))?
        };
        if many >= MOST_BASES {
            return Ok(None);
        }
        remember(&mut self.bases, boot, many + 1);
        let body = self.encoder.encode(text, &[]);
        let insert = "INSERT INTO base (boot, body) VALUES (?1, ?2)";
        db.prepare_cached(insert)?.execute(params![boot, body])?;
        Ok(Some(db.last_insert_rowid()))
    }

    /// The number of a beginning of names; 0 is none.
    fn origin(&mut self, db: &Connection, name: &str, make: bool) -> Result<Option<i64>, Failure> {
        if name.is_empty() {
            return Ok(Some(0));
        }
        if let Some(known) = self.origins.get(name) {
            return Ok(Some(*known));
        }
        let mut statement = db.prepare_cached("SELECT id FROM origin WHERE name = ?1")?;
        let mut id = statement.query_row([name], |row| row.get(0)).optional()?;
        if id.is_none() && make {
            db.execute("INSERT INTO origin (name) VALUES (?1)", [name])?;
            id = Some(db.last_insert_rowid());
        }
        if let Some(id) = id {
            remember(&mut self.origins, name.to_owned(), id);
        }
        Ok(id)
    }

    fn boot(&mut self, db: &Connection, event: &Event) -> Result<Boot, Failure> {
        let name = name_of_boot(event);
        if let Some(known) = self.boots.get(&name) {
            return Ok(*known);
        }
        let query = "SELECT id, mask FROM boot WHERE coalesce(boot_id, '') = coalesce(?1, '')
            AND coalesce(host, '') = coalesce(?2, '')";
        let row = db.query_row(query, params![name.0, name.1], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?))
        });
        let boot = if let Some((id, mask)) = row.optional()? {
            Boot {
                id,
                mask: Mask(mask.cast_unsigned()),
                clocks: last_clocks(db, id)?,
            }
        } else {
            let insert = "INSERT INTO boot (boot_id, host) VALUES (?1, ?2)";
            db.execute(insert, params![name.0, name.1])?;
            Boot {
                id: db.last_insert_rowid(),
                mask: Mask(0),
                clocks: None,
            }
        };
        remember(&mut self.boots, name, boot);
        Ok(boot)
    }

    fn topic(&mut self, db: &Connection, row: &Row<'_>) -> Result<Written, Failure> {
        let key = (row.boot, row.topic.clone());
        if let Some(known) = self.topics.get(&key) {
            return Ok(*known);
        }
        let (hash, topic) = (row.hash(), row.topic);
        let query =
            "SELECT id, events, last, base FROM topic WHERE hash = ?1 AND boot = ?2 AND kind = ?3
            AND bit IS ?4 AND head = ?5 AND is_landmark = ?6 AND is_import = ?7";
        let of = params![
            hash,
            row.boot,
            topic.kind.as_str(),
            topic.bit,
            topic.head,
            topic.is_landmark,
            topic.is_import
        ];
        let known = db.prepare_cached(query)?.query_row(of, |row| {
            Ok(Written {
                id: row.get(0)?,
                events: row.get(1)?,
                last: row.get(2)?,
                base: row.get(3)?,
            })
        });
        if let Some(known) = known.optional()? {
            return Ok(known);
        }
        let insert =
            "INSERT INTO topic (boot, kind, bit, is_landmark, is_import, hash, head, first, last)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)";
        db.prepare_cached(insert)?.execute(params![
            row.boot,
            topic.kind.as_str(),
            topic.bit,
            topic.is_landmark,
            topic.is_import,
            hash,
            topic.head,
            row.event.seq
        ])?;
        Ok(Written {
            id: db.last_insert_rowid(),
            events: 0,
            last: row.event.seq.cast_signed(),
            base: None,
        })
    }
}

impl<'a> Row<'a> {
    fn of(event: &'a Event, boot: i64, topic: &'a Topic) -> Result<Self, Failure> {
        Ok(Self {
            event,
            boot,
            topic,
            time_ns: nanoseconds(event.time),
            boottime_ns: event.boottime_ns.and_then(|at| i64::try_from(at).ok()),
            pid: event.task.as_ref().map(|task| task.pid),
            text: serde_json::to_string(event)?,
        })
    }

    fn place(&self) -> String {
        let event = self.event;
        let place = Place {
            seq: event.seq,
            id: &event.id,
            kind: event.kind.as_str(),
            boot_id: event.boot_id.as_deref(),
            host: event.host.as_deref(),
            time_ns: self.time_ns,
            boottime_ns: self.boottime_ns,
            pid: self.pid,
        };
        place.text()
    }

    /// To find its topic by.
    fn hash(&self) -> i64 {
        let hash = Sha256::digest(self.topic.head.as_bytes());
        let begin = hash.first_chunk().copied().unwrap_or_default();
        i64::from_le_bytes(begin)
    }
}

/// Takes an event out of one topic into another.
fn move_event(
    db: &Connection,
    (from, to): (i64, i64),
    seq: u64,
    occurrences: i64,
) -> Result<(), Failure> {
    let update = "UPDATE event SET topic = ?2 WHERE seq = ?1";
    db.prepare_cached(update)?.execute(params![seq, to])?;
    let update = "UPDATE topic SET events = events - 1, occurrences = max(occurrences - ?2, 0),
        first = coalesce((SELECT min(seq) FROM event WHERE topic = ?1), first),
        last = coalesce((SELECT max(seq) FROM event WHERE topic = ?1), last) WHERE id = ?1";
    db.prepare_cached(update)?
        .execute(params![from, occurrences])?;
    let delete = "DELETE FROM topic WHERE id = ?1 AND events = 0";
    db.prepare_cached(delete)?.execute([from])?;
    let update =
        "UPDATE topic SET events = events + 1, first = min(first, ?2), last = max(last, ?2),
        occurrences = min(occurrences, 9223372036854775807 - ?3) + ?3 WHERE id = ?1";
    db.prepare_cached(update)?
        .execute(params![to, seq, occurrences])?;
    Ok(())
}

/// Notes that the wall clock was set since the last event of the boot.
fn clock(db: &Connection, boot: &mut Boot, row: &Row<'_>) -> Result<(), Failure> {
    let Some(boottime_ns) = row.boottime_ns else {
        return Ok(());
    };
    let now = (row.time_ns, boottime_ns);
    let began = |(time, boottime): (i64, i64)| i128::from(time) - i128::from(boottime);
    let before = boot.clocks.replace(now);
    let is_set = |before: &(i64, i64)| began(*before).abs_diff(began(now)) >= SET_NS.into();
    if let Some(before) = before.filter(is_set) {
        db.execute(
            "INSERT INTO clock_change VALUES (?1, ?2, ?3, ?4, ?5)",
            params![boot.id, before.0, before.1, now.0, now.1],
        )?;
    }
    Ok(())
}

/// The clocks at the last event of a boot that was recorded when it happened.
fn last_clocks(db: &Connection, boot: i64) -> Result<Option<(i64, i64)>, Failure> {
    let query = "SELECT time_ns, boottime_ns FROM event WHERE boottime_ns IS NOT NULL
        AND seq IN (SELECT last FROM topic WHERE boot = ?1 AND NOT is_import) ORDER BY seq DESC LIMIT 1";
    let row = db.query_row(query, [boot], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(row.optional()?)
}

/// Every flag that a mask of the event shows.
fn masks(event: &Event) -> Mask {
    let taint = event.taint.as_ref();
    let of_taint = taint.map(|taint| [taint.mask_before, taint.mask_after]);
    let of_coverage = event.coverage.as_ref().and_then(|coverage| coverage.mask);
    let all = of_taint.into_iter().flatten().flatten().chain(of_coverage);
    all.fold(Mask(0), |all, mask| Mask(all.0 | mask.0))
}

fn occurrences(event: &Event) -> i64 {
    i64::try_from(event.occurrences()).unwrap_or(i64::MAX)
}

fn name_of_boot(event: &Event) -> (Option<String>, Option<String>) {
    (event.boot_id.clone(), event.host.clone())
}

/// An id as the beginning that many have, its boot, and the rest.
fn split(id: &str) -> (&str, &str) {
    const BOOT: usize = 32;
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    match id.split_at_checked(BOOT) {
        Some((boot, rest)) if boot.bytes().all(is_hex) && rest.starts_with('-') => (boot, rest),
        _ => ("", id),
    }
}

fn remember<K: std::hash::Hash + Eq, V>(known: &mut HashMap<K, V>, key: K, value: V) {
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert(key, value);
}

/// A time of a row.
pub(super) fn time_of(time_ns: i64) -> Time {
    Time(jiff::Timestamp::from_nanosecond(time_ns.into()).unwrap_or_default())
}
