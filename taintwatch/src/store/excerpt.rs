//! The part of the history that an answer needs: few events in place of many.
//!
//! In: boots, and a filter. Out: the events that pass; the landmarks, and the first and the last of what repeats, so that the
//! model of reports is the same as of all events; and what the events that are left out come to.

use std::collections::{BTreeSet, HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension as _};

use super::{
    Filter,
    error::Failure,
    reader::{COLUMNS, Reader},
    topics::{self, Stored},
    writer::time_of,
};
use crate::{
    coverage::Stamp,
    event::{Event, Kind, Taint},
};

/// Events, in order, and what others come to.
#[derive(Debug, Default)]
pub struct Excerpt {
    pub events: Vec<Event>,
    pub omitted: Omitted,
}

/// What the events come to that are not in an excerpt, or not in the history any more.
#[derive(Debug, Default)]
pub struct Omitted {
    /// Occurrences, by the sequence of the event that stands for them: one of the same boot, flag and cause.
    occurrences: HashMap<u64, u64>,
    boots: HashMap<Option<String>, OfBoot>,
}

#[derive(Debug, Default)]
struct OfBoot {
    events: u64,
    clock_changes: Vec<(Stamp, Stamp)>,
}

impl Omitted {
    /// What an event stands for beside itself.
    #[must_use]
    pub fn occurrences(&self, event: &Event) -> u64 {
        self.occurrences
            .get(&event.seq)
            .copied()
            .unwrap_or_default()
    }

    /// How many events of a boot the history has beside those of the excerpt.
    #[must_use]
    pub fn events(&self, boot_id: Option<&str>) -> u64 {
        self.of(boot_id).map_or(0, |boot| boot.events)
    }

    /// Between which times the wall clock of a boot was set, where its events are not enough to tell.
    #[must_use]
    pub fn clock_changes(&self, boot_id: Option<&str>) -> Option<&[(Stamp, Stamp)]> {
        Some(self.of(boot_id)?.clock_changes.as_slice())
    }

    fn of(&self, boot_id: Option<&str>) -> Option<&OfBoot> {
        self.boots.get(&boot_id.map(str::to_owned))
    }
}

/// How much of a boot is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Extent<'a> {
    /// What shows its place among the boots, and when it was monitored.
    Outline,
    /// What its flags are, and what was lost.
    Flags,
    /// What set each flag, for each cause, with all loads of modules.
    Causes,
    /// The events that pass, and what a report says beside them.
    Passing(&'a Filter),
}

/// Boots, in parts; `None`: every boot.
pub(super) fn of(
    db: &Connection,
    reader: &Reader,
    boots: Option<&[Option<String>]>,
    extent: Extent<'_>,
) -> Result<Excerpt, Failure> {
    // One state of the history for all queries.
    let db = db.unchecked_transaction()?;
    let names = names(&db, boots)?;
    let mut topics = topics::all(&db)?;
    topics.retain(|topic| names.contains_key(&topic.boot));
    let wanted = wanted(&db, &topics, &names, extent)?;
    let mut loaded = Loaded::default();
    for seq in wanted {
        loaded.take(&db, reader, seq)?;
    }
    let mut excerpt = Excerpt {
        omitted: Omitted {
            occurrences: loaded.stand_ins(&topics, &names, extent),
            boots: HashMap::new(),
        },
        events: loaded.events,
    };
    for topic in &topics {
        let name = names.get(&topic.boot).cloned().flatten();
        let taken = loaded.taken.get(&topic.id).map_or(0, |taken| taken.events);
        let left = topic.events.saturating_sub(topic.removed + taken);
        let is_part = left > 0 || topic.removed > 0;
        if is_part {
            excerpt.omitted.boots.entry(name).or_default().events += left;
        }
    }
    clock_changes(&db, &names, &mut excerpt.omitted)?;
    Ok(excerpt)
}

/// The boots by their number in the tables.
fn names(
    db: &Connection,
    boots: Option<&[Option<String>]>,
) -> Result<HashMap<i64, Option<String>>, Failure> {
    let mut statement = db.prepare_cached("SELECT id, boot_id FROM boot")?;
    let all = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let is_wanted =
        |(_, name): &(i64, Option<String>)| boots.is_none_or(|boots| boots.contains(name));
    let all = all.collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().filter(is_wanted).collect())
}

/// The numbers of the events to load.
fn wanted(
    db: &Connection,
    topics: &[Stored],
    names: &HashMap<i64, Option<String>>,
    extent: Extent<'_>,
) -> Result<BTreeSet<i64>, Failure> {
    let mut whole: Vec<i64> = Vec::new();
    let mut wanted = ends(topics, names);
    let mut shown = Shown::default();
    if let Extent::Passing(filter) = extent {
        let passing = topics::passing(topics, filter);
        let found = topics::sequence(db, &passing, filter)?;
        let with_events: HashSet<i64> = found.iter().filter_map(|(_, topic)| *topic).collect();
        shown = Shown::of(
            topics
                .iter()
                .filter(|topic| with_events.contains(&topic.id)),
        );
        wanted.extend(found.into_iter().map(|(seq, _)| seq));
    }
    for topic in topics {
        let is_needed = match extent {
            Extent::Outline => topic.is_import || topic.kind == Kind::Coverage.as_str(),
            Extent::Flags => topic.is_landmark,
            Extent::Causes => !topic.is_repeat(),
            Extent::Passing(_) => {
                topic.is_landmark || !topic.is_repeat() && shown.has_module_of(topic)
            }
        };
        if is_needed {
            whole.push(topic.id);
        } else if matches!(extent, Extent::Causes) {
            wanted.insert(topic.first);
        } else if topic.is_repeat() && (shown.has_bit_of(topic) || shown.has_module_of(topic)) {
            wanted.extend([topic.first, topic.last]);
        }
    }
    if !matches!(extent, Extent::Outline) {
        let mut known = HashSet::new();
        // In the order of their first events.
        for topic in topics.iter().filter(|topic| topic.is_repeat()) {
            if known.insert((names.get(&topic.boot), topic.bit)) {
                wanted.insert(topic.first);
            }
        }
    }
    let all = topics::sequence(db, &whole, &Filter::default())?;
    wanted.extend(all.into_iter().map(|(seq, _)| seq));
    Ok(wanted)
}

/// The first and the last event of each boot, and the same of those that were recorded when they happened.
fn ends(topics: &[Stored], names: &HashMap<i64, Option<String>>) -> BTreeSet<i64> {
    let mut ends: HashMap<_, (i64, i64)> = HashMap::new();
    for topic in topics {
        for is_any in [true, false] {
            if is_any || !topic.is_import {
                let of = ends.entry((names.get(&topic.boot), is_any));
                let (first, last) = of.or_insert((topic.first, topic.last));
                *first = topic.first.min(*first);
                *last = topic.last.max(*last);
            }
        }
    }
    let ends = ends.into_values();
    ends.flat_map(|(first, last)| [first, last]).collect()
}

/// What the events that pass are about: a report shows the flags and modules of these.
#[derive(Default)]
struct Shown {
    bits: HashSet<u32>,
    modules: HashSet<String>,
}

impl Shown {
    fn of<'a>(topics: impl Iterator<Item = &'a Stored>) -> Self {
        let mut shown = Self::default();
        for event in topics.filter_map(Stored::event) {
            let taint = event.taint.as_ref();
            shown.bits.extend(taint.into_iter().flat_map(Taint::set));
            shown.modules.extend(event.module_name().map(str::to_owned));
        }
        shown
    }

    fn has_bit_of(&self, topic: &Stored) -> bool {
        topic.bit.is_some_and(|bit| self.bits.contains(&bit))
    }

    /// Its loads and unloads show when the module was there, and its repeats what it set.
    fn has_module_of(&self, topic: &Stored) -> bool {
        if self.modules.is_empty() {
            return false;
        }
        let event = topic.event();
        let name = event.as_ref().and_then(Event::module_name);
        name.is_some_and(|name| self.modules.contains(name))
    }
}

#[derive(Default)]
struct Loaded {
    events: Vec<Event>,
    /// By topic.
    taken: HashMap<i64, Taken>,
}

#[derive(Default)]
struct Taken {
    events: u64,
    occurrences: u64,
    last: u64,
}

impl Loaded {
    fn take(&mut self, db: &Connection, reader: &Reader, seq: i64) -> Result<(), Failure> {
        let query = format!("SELECT {COLUMNS} FROM event WHERE seq = ?1");
        let mut statement = db.prepare_cached(&query)?;
        let row = statement.query_row([seq], |row| {
            Ok((reader.event(db, row)?, row.get::<_, Option<i64>>(3)?))
        });
        let Some((Some(event), topic)) = row.optional()? else {
            return Ok(());
        };
        if let Some(topic) = topic {
            let taken = self.taken.entry(topic).or_default();
            taken.events += 1;
            taken.occurrences = taken.occurrences.saturating_add(event.occurrences());
            taken.last = event.seq;
        }
        self.events.push(event);
        Ok(())
    }

    /// For each topic with more occurrences than were loaded, an event that stands for the others: the last of the topic,
    /// or else, where causes do not matter, any event of the same flag alone.
    fn stand_ins(
        &self,
        topics: &[Stored],
        names: &HashMap<i64, Option<String>>,
        extent: Extent<'_>,
    ) -> HashMap<u64, u64> {
        let mut of_bit = HashMap::new();
        for topic in topics
            .iter()
            .filter(|topic| topic.kind == Kind::Taint.as_str())
        {
            if let Some(taken) = self.taken.get(&topic.id) {
                of_bit
                    .entry((names.get(&topic.boot), topic.bit))
                    .or_insert(taken.last);
            }
        }
        let mut all: HashMap<u64, u64> = HashMap::new();
        for topic in topics {
            let taken = self.taken.get(&topic.id);
            let done = taken.map_or(0, |taken| taken.occurrences);
            let by_bit = || of_bit.get(&(names.get(&topic.boot), topic.bit)).copied();
            let stands = taken.map(|taken| taken.last);
            let stands = match extent {
                Extent::Flags => stands.or_else(by_bit),
                Extent::Outline | Extent::Causes | Extent::Passing(_) => stands,
            };
            let more = topic.occurrences.saturating_sub(done);
            if let Some(stands) = stands.filter(|_| more > 0 && topic.kind == Kind::Taint.as_str())
            {
                let all = all.entry(stands).or_default();
                *all = all.saturating_add(more);
            }
        }
        all
    }
}

/// Only for boots of which events are left out.
fn clock_changes(
    db: &Connection,
    names: &HashMap<i64, Option<String>>,
    omitted: &mut Omitted,
) -> Result<(), Failure> {
    let query =
        "SELECT boot, before_ns, before_boottime_ns, after_ns, after_boottime_ns FROM clock_change";
    let mut statement = db.prepare_cached(query)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let name = names.get(&row.get(0)?);
        let Some(boot) = name.and_then(|name| omitted.boots.get_mut(name)) else {
            continue;
        };
        let stamp = |time: usize, boottime: usize| -> rusqlite::Result<Stamp> {
            Ok(Stamp {
                time: time_of(row.get(time)?),
                boottime_ns: row.get(boottime)?,
            })
        };
        boot.clock_changes.push((stamp(1, 2)?, stamp(3, 4)?));
    }
    Ok(())
}
