//! A timeline that a storm does not drown.
//!
//! In: events in order. Out: entries, each an event; one that only repeats a flag for the same reason as another
//! stands with that one, as long as nothing else happens in between.

use super::flag::{count, key};
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

#[must_use]
pub fn entries<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = Vec::new();
    // From here on there are only repeats.
    let mut repeats = 0;
    for event in events {
        let same = |entry: &&mut Entry<'_>| {
            (entry.event.bit(), key(entry.event)) == (event.bit(), key(event))
        };
        let open = entries.get_mut(repeats..).unwrap_or_default();
        let known = open.iter_mut().find(same).filter(|_| is_repeat(event));
        if let Some(entry) = known {
            entry.again.push(event);
            continue;
        }
        entries.push(Entry {
            event,
            again: Vec::new(),
        });
        if !is_repeat(event) {
            repeats = entries.len();
        }
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
        let told: Vec<_> = entries
            .iter()
            .map(|entry| (entry.event.seq, entry.again.len(), entry.count()))
            .collect();
        assert_eq!(
            told,
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
}
