//! What the limits of the configuration take away, and what they leave.

use jiff::SignedDuration;

use super::*;
use crate::event::{Confidence, Taint};

const HOUR: Duration = Duration::from_hours(1);

fn at(day: i64) -> Time {
    Time(jiff::Timestamp::from_second(1_700_000_000 + day * 86_400).unwrap())
}

fn taint(id: &str, boot: &str, day: i64, first: bool) -> Event {
    let mut event = event(id);
    event.boot_id = Some(boot.to_owned());
    event.time = at(day);
    event.boottime_ns = Some(u64::try_from(day).unwrap() * 1_000_000);
    event.taint = Some(Taint {
        bit: Some(9),
        first: Some(first),
        count: Some(2),
        ..Taint::default()
    });
    event
}

/// Boots of days 0, 10 and 20, each with a first setting and many repeats.
fn history(repeats: i64) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::create(&folder.path().join("events.db")).unwrap();
    let mut all = Vec::new();
    for (boot, day) in [("a", 0), ("b", 10), ("c", 20)] {
        all.push(Write::event(taint(
            &format!("{boot}-first"),
            boot,
            day,
            true,
        )));
        for number in 0..repeats {
            let id = format!("{boot}-{number}");
            all.push(Write::event(taint(
                &id,
                boot,
                day + number * 10 / repeats,
                false,
            )));
        }
        let mut lost = taint(&format!("{boot}-lost"), boot, day, false);
        lost.kind = Kind::Lost;
        all.push(Write::event(lost));
    }
    store.write(all.iter_mut()).unwrap();
    for boot in ["a", "b", "c"] {
        store.heartbeat(boot, at(0), 1).unwrap();
    }
    (folder, store)
}

fn ids(store: &Store, boot: &str) -> Vec<String> {
    let events = store.of_boot(boot).unwrap().into_iter();
    events.map(|event| event.id).collect()
}

#[test]
fn nothing_is_removed_without_a_limit() {
    let (_folder, mut store) = history(10);
    assert_eq!(
        store.prune("c", Limits::default(), at(999), HOUR).unwrap(),
        0
    );
    assert_eq!(store.removed().unwrap(), None);
    assert_eq!(store.after(0).unwrap().len(), 36);
}

#[test]
fn old_boots_go_whole_and_old_repeats_of_one_that_stays() {
    let (_folder, mut store) = history(10);
    let limits = Limits {
        age: Some(SignedDuration::from_hours(24 * 6)),
        bytes: None,
    };
    store.prune("c", limits, at(20 + 10), HOUR).unwrap();
    assert_eq!(store.boots().unwrap(), ["c"]);
    assert_eq!(store.last_heartbeat("a").unwrap(), None);
    assert!(store.last_heartbeat("c").unwrap().is_some());
    assert_eq!(
        ids(&store, "c"),
        [
            "c-first", "c-4", "c-5", "c-6", "c-7", "c-8", "c-9", "c-lost"
        ]
    );
    let removed = store.removed().unwrap().unwrap();
    assert_eq!(
        (removed.events, removed.until, removed.at),
        (28, at(23), at(30))
    );
    // What is left is exact: eleven settings of two each.
    let flags = store.flags_of("c").unwrap();
    let count = |event: &Event| event.occurrences() + flags.omitted.occurrences(event);
    let counts = flags
        .events
        .iter()
        .filter(|event| event.sets(9) && event.kind == Kind::Taint);
    assert_eq!(counts.map(count).sum::<u64>(), 22);
    let mut next = taint("next", "c", 31, false);
    store.append(&mut next).unwrap();
    assert_eq!(next.seq, 37, "no number is used again");
}

#[test]
fn the_largest_may_not_be_larger_and_gives_back_what_it_does_not_need() {
    let (_folder, mut store) = history(5000);
    let size = |store: &Store| -> u64 {
        store
            .db
            .query_row("PRAGMA page_count", [], |row| row.get::<_, u64>(0))
            .unwrap()
            * 4096
    };
    let before = size(&store);
    let most = before / 4;
    let limits = Limits {
        age: None,
        bytes: Some(most),
    };
    let without_time = store.prune("c", limits, at(30), Duration::ZERO);
    assert_eq!(without_time.unwrap(), 0);
    let turn = Duration::from_millis(20);
    while store.prune("c", limits, at(30), turn).unwrap() > 0 {}
    assert!(
        size(&store) <= most + most / 8,
        "{} of {most}",
        size(&store)
    );
    assert_eq!(store.boots().unwrap(), ["c"]);
    let left = ids(&store, "c");
    assert_eq!(left.first().unwrap(), "c-first");
    assert_eq!(left.last().unwrap(), "c-lost");
    assert!(
        left.contains(&"c-4999".to_owned()),
        "the last of what repeats"
    );
    // However small it has to be.
    let limits = Limits {
        bytes: Some(1),
        ..limits
    };
    store.prune("c", limits, at(30), HOUR).unwrap();
    assert_eq!(ids(&store, "c"), ["c-first", "c-lost"]);
    let confidence = store.of_boot("c").unwrap()[0]
        .cause
        .as_ref()
        .map(|cause| cause.confidence);
    assert_ne!(confidence, Some(Confidence::Listed));
    let mut next = taint("next", "c", 31, false);
    store.append(&mut next).unwrap();
    assert_eq!(next.seq, 15_007);
}
