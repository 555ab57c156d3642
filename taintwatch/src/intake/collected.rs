//! The events of machines, in the order in which each machine recorded them.
//!
//! In: events in any order, each once. Out: the machines by their id, each with its events, oldest first, under numbers that
//! no other event of the run has. The numbers of the histories themselves are kept beside: two machines both have a first
//! event.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Key;
use crate::event::Event;

/// What came in so far.
#[derive(Debug, Default)]
pub struct Collection {
    hosts: BTreeMap<Option<String>, Vec<Event>>,
    places: HashMap<Key, usize>,
}

/// One machine's events.
#[derive(Debug)]
pub struct Machine {
    pub host: Option<String>,
    pub events: Vec<Event>,
    /// The number that an event has in its own history, by the one that it has here, where they differ.
    numbers: HashMap<u64, u64>,
}

impl Collection {
    /// Keeps the event, or what is more of one that is there: false where it is there.
    pub fn add(&mut self, event: Event) -> bool {
        let key = super::key(&event);
        let events = self.hosts.entry(event.host.clone()).or_default();
        if let Some(known) = self.places.get(&key).and_then(|at| events.get_mut(*at)) {
            // It was sent once more, when more of it was known.
            if super::weight(&event) > super::weight(known) {
                *known = event;
            }
            return false;
        }
        self.places.insert(key, events.len());
        events.push(event);
        true
    }

    /// How many machines there are.
    #[must_use]
    pub fn machines(&self) -> usize {
        self.hosts.len()
    }

    #[must_use]
    pub fn finish(self) -> Vec<Machine> {
        let mut last = 0;
        let alone = self.hosts.len() == 1;
        let machines = self.hosts.into_iter().map(|(host, mut events)| {
            let is_numbered = order(&mut events);
            let mut numbers = HashMap::new();
            if !(alone && is_numbered) {
                for event in &mut events {
                    last += 1;
                    numbers.insert(last, event.seq);
                    event.seq = last;
                }
            }
            Machine {
                host,
                events,
                numbers,
            }
        });
        machines.collect()
    }
}

impl Machine {
    /// The event as its machine recorded it.
    #[must_use]
    pub fn recorded(&self, event: &Event) -> Event {
        let mut event = event.clone();
        event.seq = self.numbers.get(&event.seq).copied().unwrap_or(event.seq);
        event
    }
}

/// By the machine's own numbers. Where some have none, or two the same (another history began), by time. True: the numbers
/// are all different.
fn order(events: &mut [Event]) -> bool {
    let mut seen = HashSet::new();
    let is_numbered = events
        .iter()
        .all(|event| event.seq > 0 && seen.insert(event.seq));
    if is_numbered {
        events.sort_by_key(|event| event.seq);
    } else {
        // Stable: what has no date stays where it came in, in front of all that has one.
        events.sort_by_key(|event| event.time);
    }
    is_numbered
}

#[cfg(test)]
mod tests {
    use super::{super::tests::event, *};

    fn collected(events: impl IntoIterator<Item = Event>) -> Vec<Machine> {
        let mut collection = Collection::default();
        for event in events {
            collection.add(event);
        }
        collection.finish()
    }

    #[test]
    fn one_history_keeps_its_numbers() {
        let machines = collected([9, 2, 5].map(|seq| event(Some("m"), &seq.to_string(), seq)));
        let found: Vec<_> = machines[0].events.iter().map(|event| event.seq).collect();
        assert_eq!(found, [2, 5, 9]);
        assert_eq!(machines[0].recorded(&machines[0].events[1]).seq, 5);
    }

    #[test]
    fn no_two_events_of_several_machines_have_one_number() {
        let machines = collected([
            event(Some("b"), "x", 1),
            event(Some("a"), "x", 1),
            event(Some("a"), "y", 2),
            event(None, "x", 1),
        ]);
        let hosts: Vec<_> = machines.iter().map(|it| it.host.as_deref()).collect();
        assert_eq!(hosts, [None, Some("a"), Some("b")]);
        let all = machines.iter().flat_map(|machine| &machine.events);
        assert_eq!(all.map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
        let own = machines.iter().flat_map(|machine| {
            let events = machine.events.iter();
            events.map(|event| machine.recorded(event).seq)
        });
        assert_eq!(own.collect::<Vec<_>>(), [1, 1, 2, 1]);
    }

    #[test]
    fn two_histories_of_one_machine_are_ordered_by_time() {
        let at = |id: &str, seq: u64, second: u32| {
            let mut event = event(Some("m"), id, seq);
            event.time =
                serde_json::from_value(format!("2026-01-02T03:04:{second:02}Z").into()).unwrap();
            event
        };
        let machines = collected([at("new", 1, 30), at("old", 1, 10), at("older", 2, 9)]);
        let ids: Vec<_> = machines[0].events.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids, ["older", "old", "new"]);
    }

    #[test]
    fn of_an_event_that_came_twice_the_fuller_one_stays() {
        let mut more = event(Some("m"), "x", 1);
        more.caller = Some("f+0x1".to_owned());
        for both in [
            [more.clone(), event(Some("m"), "x", 1)],
            [event(Some("m"), "x", 1), more.clone()],
        ] {
            assert_eq!(collected(both)[0].events, [more.clone()]);
        }
    }
}
