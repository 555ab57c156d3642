//! The boot of each event, and the order of events and boots.
//!
//! In: events by sequence. Out: each boot with its events in order, the boots in order. Within a boot the boot's
//! own clock orders, since the wall clock may have been set; between boots the order of recording does. What was
//! found of a boot after it had ended (a crash's log) stands with that boot, however late it was appended.

use std::{cmp::Reverse, collections::HashMap};

use crate::event::{Confidence, Event, Source};

/// The events of one boot; no id: their boot is not known.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) events: Vec<&'a Event>,
}

/// Found later than it happened, so that its place in the sequence shows nothing.
pub(super) fn is_import(event: &Event) -> bool {
    event.cause.as_ref().is_some_and(|cause| {
        cause.sources.contains(&Source::Crash)
            || cause.confidence == Confidence::Logged && cause.sources.contains(&Source::Baseline)
    })
}

/// Oldest boot first, and at the end the events whose boot is not known.
pub(super) fn boots(events: &[Event]) -> Vec<Group<'_>> {
    let mut stored: Vec<&Event> = events.iter().collect();
    stored.sort_by_key(|event| event.seq);
    let ranks = ranks(&stored);
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut known: HashMap<Option<&str>, usize> = HashMap::new();
    for event in stored {
        let id = event.boot_id.as_deref();
        let index = *known.entry(id).or_insert(groups.len());
        match groups.get_mut(index) {
            Some(group) => group.events.push(event),
            None => groups.push(Group {
                id,
                events: vec![event],
            }),
        }
    }
    groups.sort_by_key(|group| (group.id.is_none(), ranks.get(&group.id).copied()));
    for group in &mut groups {
        by_boot_clock(&mut group.events);
    }
    groups
}

/// Each boot's place: that of its first own event. A boot that only imports name is just before the boot
/// that found them: the one whose own events go on after the import, or came last before it.
fn ranks<'a>(stored: &[&'a Event]) -> HashMap<Option<&'a str>, (usize, Reverse<usize>)> {
    let mut own = HashMap::new();
    for (place, event) in stored.iter().enumerate() {
        if !is_import(event) {
            own.entry(event.boot_id.as_deref()).or_insert(place);
        }
    }
    let mut ranks: HashMap<_, _> = own
        .iter()
        .map(|(id, at)| (*id, (*at, Reverse(0))))
        .collect();
    let last_own = stored.iter().rev().find(|event| !is_import(event));
    let mut finder = last_own.map(|event| event.boot_id.as_deref());
    // From the end, so that the finder of the first import of each boot is the one that stays.
    for (before_end, event) in stored.iter().rev().enumerate() {
        let id = event.boot_id.as_deref();
        if !is_import(event) {
            finder = Some(id);
        } else if !own.contains_key(&id) {
            let place = finder.and_then(|finder| own.get(&finder)).copied();
            ranks.insert(id, (place.unwrap_or(0), Reverse(before_end + 1)));
        }
    }
    ranks
}

/// An event without a clock of its own stays behind the one that was recorded before it, and a flag that a log shows to
/// have been there before in front of the one that was recorded behind it.
fn by_boot_clock(events: &mut [&Event]) {
    let mut last = 0;
    let mut places = HashMap::new();
    for event in events.iter() {
        last = own_clock(event).unwrap_or(last);
        places.insert(event.seq, last);
    }
    let mut next = None;
    for event in events.iter().rev() {
        if is_of_before(event) {
            let place = own_clock(event).or(next).or(event.boottime_ns);
            places.extend(place.map(|place| (event.seq, place)));
        } else {
            next = event.boottime_ns.or(next);
        }
    }
    events.sort_by_key(|event| (places.get(&event.seq).copied(), event.seq));
}

fn own_clock(event: &Event) -> Option<u64> {
    let is_own = |at: &u64| *at == 0 || !is_of_before(event);
    event.boottime_ns.filter(is_own)
}

/// A flag that a line of a log shows to have been set before: the time is that of the line.
fn is_of_before(event: &Event) -> bool {
    event.cause.as_ref().is_some_and(|cause| {
        let by_log = |source| matches!(source, &Source::Log | &Source::Crash);
        let is_before = matches!(
            cause.confidence,
            Confidence::Listed | Confidence::Unattributed
        );
        is_before && cause.sources.iter().any(by_log)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64, at: u64, confidence: &str) -> Event {
        serde_json::from_value(serde_json::json!({
            "schema": 1, "id": seq.to_string(), "seq": seq, "kind": "taint", "boottime_ns": at, "taint": {"bit": 9},
            "cause": {"class": "unknown", "confidence": confidence, "summary": "", "sources": ["log"]},
        }))
        .unwrap()
    }

    #[test]
    fn what_was_there_before_stays_in_front() {
        let events = [
            event(1, 0, "unattributed"),
            event(2, 9, "listed"),
            event(3, 5, "logged"),
            event(4, 2, "logged"),
            event(5, 9, "logged"),
            event(6, 12, "listed"),
        ];
        let groups = boots(&events);
        let order: Vec<_> = groups[0].events.iter().map(|event| event.seq).collect();
        assert_eq!(order, [1, 4, 2, 3, 5, 6]);
    }
}
