//! The entries of a timeline: repeats are folded.
//!
//! In: events in order. Out: entries, each an event; one that only repeats a flag for the same cause as another is part of
//! that entry, as long as nothing else happens in between. Beside them groups, for a report that only counts.

use std::collections::HashMap;

use super::flag::{Key, count, key};
use crate::event::{Event, Kind};

/// An event, and those that only repeat it.
#[derive(Debug)]
pub struct Entry<'a> {
    pub event: &'a Event,
    pub again: Vec<&'a Event>,
}

impl Entry<'_> {
    /// How many occurrences it stands for.
    #[must_use]
    pub fn count(&self) -> u64 {
        let again = self.again.iter().map(|event| count(event));
        again.fold(count(self.event), u64::saturating_add)
    }
}

/// A flag that was set already was set again.
fn is_repeat(event: &Event) -> bool {
    let taint = event.taint.as_ref();
    event.kind == Kind::Taint && taint.is_some_and(|taint| taint.first == Some(false))
}

/// What makes two events the same for a report that counts: the kind, the flag, the cause and the module.
pub type GroupKey<'a> = (Kind, Option<u32>, Key<'a>, Option<&'a str>);

#[must_use]
pub fn group_key(event: &Event) -> GroupKey<'_> {
    let what = event.lost.as_ref().map(|lost| lost.what.as_str());
    let state = event.coverage.as_ref().map(|it| it.reason.as_str());
    (event.kind, event.bit(), key(event), what.or(state))
}

/// Events of one kind, flag, cause and module, as a count.
#[derive(Debug)]
pub struct Group<'a> {
    pub first: &'a Event,
    pub last: &'a Event,
    pub events: usize,
    /// Occurrences that the events stand for.
    pub count: u64,
}

/// Every event, in groups in the order of their first events.
#[must_use]
pub fn groups<'a>(events: &[&'a Event]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    let mut known = HashMap::new();
    for &event in events {
        let place = *known.entry(group_key(event)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => {
                group.last = event;
                group.events += 1;
                group.count = group.count.saturating_add(count(event));
            }
            None => groups.push(Group {
                first: event,
                last: event,
                events: 1,
                count: count(event),
            }),
        }
    }
    groups
}

#[must_use]
pub fn entries<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = Vec::new();
    // The entries of repeats since the last event that is none, by flag and cause.
    let mut repeats = HashMap::new();
    for event in events {
        if !is_repeat(event) {
            repeats.clear();
        } else if let Some(entry) = repeats
            .get(&(event.bit(), key(event)))
            .and_then(|place: &usize| entries.get_mut(*place))
        {
            entry.again.push(event);
            continue;
        } else {
            repeats.insert((event.bit(), key(event)), entries.len());
        }
        entries.push(Entry {
            event,
            again: Vec::new(),
        });
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_stand_together_until_something_else_happens() {
        let event = |seq: u64, kind: &str, bit: u32, first: bool, caller: &str| {
            serde_json::from_value::<Event>(serde_json::json!({
                "schema": 1, "id": seq.to_string(), "seq": seq, "kind": kind, "time": "2026-01-01T00:00:00Z",
                "taint": {"bit": bit, "first": first, "count": 2}, "caller": caller,
            }))
            .unwrap()
        };
        let events = [
            event(1, "taint", 9, true, "f+0x1"),
            event(2, "taint", 9, false, "f+0x2"),
            event(3, "taint", 9, false, "g+0x1"),
            event(4, "taint", 9, false, "f+0x3"),
            event(5, "module_load", 9, false, ""),
            event(6, "taint", 9, false, "f+0x1"),
            event(7, "taint", 7, false, "f+0x1"),
        ];
        let entries = entries(events.iter());
        let found: Vec<_> = entries
            .iter()
            .map(|entry| (entry.event.seq, entry.again.len(), entry.count()))
            .collect();
        assert_eq!(
            found,
            [
                (1, 0, 2),
                (2, 1, 4),
                (3, 0, 2),
                (5, 0, 2),
                (6, 0, 2),
                (7, 0, 2)
            ]
        );
    }

    #[test]
    fn events_of_one_kind_are_a_group_with_their_sum() {
        let event = |bit: u32, count: u64| -> Event {
            serde_json::from_value(serde_json::json!({
                "schema": 1, "id": "x", "seq": 1, "kind": "taint", "time": "2026-01-01T00:00:00Z",
                "taint": {"bit": bit, "count": count},
            }))
            .unwrap()
        };
        let all = [event(9, 2), event(12, 1), event(9, 5), event(9, 1)];
        let all: Vec<_> = all.iter().collect();
        let groups = groups(&all);
        let shown: Vec<_> = groups
            .iter()
            .map(|group| (group.events, group.count))
            .collect();
        assert_eq!(shown, [(3, 8), (1, 1)]);
        assert_eq!(groups[0].last.taint, all[3].taint);
    }
}
