//! Machines that share causes, and machines that differ.

use super::*;
use crate::event::Class;

/// An event of a machine at a second of its boot.
fn event(host: &str, boot: &str, second: u32, kind: &str, more: &serde_json::Value) -> Event {
    let mut event = serde_json::json!({
        "schema": 1, "id": format!("{host}{boot}{second}{kind}"), "seq": second, "kind": kind, "host": host,
        "boot_id": boot, "time": format!("2026-01-02T03:{:02}:{:02}Z", second / 60, second % 60),
        "boottime_ns": u64::from(second) * 1_000_000_000,
    });
    let more = more.as_object().unwrap().clone();
    event.as_object_mut().unwrap().extend(more);
    serde_json::from_value(event).unwrap()
}

fn began(host: &str, boot: &str, second: u32, release: &str) -> Event {
    let coverage = serde_json::json!({"coverage": {"state": "began", "reason": "", "release": release, "mask": "0x0"}});
    event(host, boot, second, "coverage", &coverage)
}

fn ended(host: &str, boot: &str, second: u32) -> Event {
    let coverage = serde_json::json!({"coverage": {"state": "ended", "reason": "stopped"}});
    event(host, boot, second, "coverage", &coverage)
}

fn load(host: &str, boot: &str, second: u32, version: &str) -> Event {
    let load = serde_json::json!({
        "taint": {"bit": 12, "letter": "O", "name": "OOT_MODULE", "count": 2}, "caller": "load_module+0x1",
        "cause": {"class": "module_load", "summary": "s", "confidence": "observed", "sources": []},
        "module": {"name": "m", "version": version},
    });
    event(host, boot, second, "taint", &load)
}

fn warned(host: &str, boot: &str, second: u32) -> Event {
    let warned = serde_json::json!({
        "taint": {"bit": 9, "letter": "W", "name": "WARN"}, "caller": "f+0x1",
        "cause": {"class": "kernel_code", "summary": "s", "confidence": "observed", "sources": []},
    });
    event(host, boot, second, "taint", &warned)
}

fn fleet(events: &[Event]) -> Fleet {
    let mut fleet = Fleet::default();
    for event in events {
        fleet.add(event, true);
    }
    fleet
}

fn events() -> Vec<Event> {
    vec![
        began("a", "a1", 1, "6.1"),
        load("a", "a1", 2, "1.0"),
        ended("a", "a1", 9),
        began("a", "a2", 101, "6.2"),
        load("a", "a2", 102, "1.0"),
        warned("a", "a2", 110),
        warned("a", "a2", 111),
        began("b", "b1", 11, "6.1"),
        load("b", "b1", 12, "1.0"),
        began("c", "c1", 21, "6.1"),
        load("c", "c1", 22, "2.0"),
    ]
}

#[test]
fn causes_are_of_a_module_a_version_and_a_function_the_newest_first() {
    let fleet = fleet(&events());
    let found: Vec<_> = fleet
        .causes()
        .into_iter()
        .map(|it| {
            (
                it.flag,
                it.version,
                it.function,
                it.machines,
                it.boots,
                it.count,
                it.releases.concat(),
            )
        })
        .collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        found,
        [
            ("W".to_owned(), None, some("f"), 1, 1, 2, "6.2".to_owned()),
            ("O".to_owned(), some("2.0"), None, 1, 1, 2, "6.1".to_owned()),
            (
                "O".to_owned(),
                some("1.0"),
                None,
                2,
                3,
                6,
                "6.16.2".to_owned()
            ),
        ]
    );
    let first = &fleet.causes()[2];
    assert_eq!(first.first_host.as_deref(), Some("a"));
    assert_eq!(first.class, Some(Class::ModuleLoad));
    assert_eq!(first.first, Some(events()[1].time));
    assert_eq!(first.last, Some(events()[4].time));
}

#[test]
fn machines_are_grouped_by_the_flags_of_their_newest_boots() {
    let machines = fleet(&events()).machines();
    let groups: Vec<_> = groups(&machines)
        .into_iter()
        .map(|group| {
            (
                group.letters.to_owned(),
                group.machines.len(),
                group.releases().join(" "),
            )
        })
        .collect();
    let of = |letters: &str, machines, releases: &str| {
        (letters.to_owned(), machines, releases.to_owned())
    };
    assert_eq!(groups, [of("O", 2, "6.1"), of("WO", 1, "6.2")]);
    assert_eq!((machines[0].boots, machines[0].events), (2, 7));
}

#[test]
fn what_makes_a_record_incomplete_is_counted() {
    let write = serde_json::json!({"taint": {"bits_cleared": [12], "bits_set": [0], "mask_before": "0x1000", "mask_after": "0x1"},
        "cause": {"class": "direct_write", "summary": "s", "confidence": "observed", "sources": []}});
    let lost = serde_json::json!({"lost": {"count": 7, "reason": "", "what": "detail"}});
    let degraded = serde_json::json!({"coverage": {"state": "degraded", "reason": "x"}});
    let fleet = fleet(&[
        began("a", "a1", 1, "6.1"),
        ended("a", "a1", 10),
        event("a", "a1", 40, "coverage", &degraded),
        event("a", "a1", 41, "mask_write", &write),
        event("a", "a1", 42, "lost", &lost),
        began("b", "b1", 1, "6.1"),
        warned("b", "b1", 50),
        warned("c", "c1", 50),
    ]);
    let [a, b, c] = fleet.machines().try_into().unwrap();
    assert_eq!((a.gaps, a.gap_seconds, a.degraded), (1, 30, 1));
    assert_eq!(
        (a.cleared, a.losses.detail, a.letters.as_str()),
        (1, 7, "PO")
    );
    assert!(a.is_doubtful() && !b.is_doubtful());
    assert_eq!((c.not_monitored, c.is_doubtful()), (1, true));
    let direct = fleet
        .causes()
        .into_iter()
        .find(|it| it.flag == "P")
        .unwrap();
    assert_eq!(direct.class, Some(Class::DirectWrite));
}

#[test]
fn boots_are_chosen_on_every_machine() {
    let letters = |words: &[&str]| {
        let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
        let mut fleet = fleet(&events());
        let unknown = fleet.select(&words).map(str::to_owned);
        let machines = fleet.machines();
        let letters: Vec<_> = machines.into_iter().map(|it| it.letters).collect();
        (letters.join(" "), unknown)
    };
    assert_eq!(letters(&["0"]), ("WO O O".to_owned(), None));
    assert_eq!(letters(&["-1"]), ("O".to_owned(), None));
    assert_eq!(letters(&["a1", "B"]), ("O O".to_owned(), None));
    assert_eq!(letters(&["all"]).0, "WO O O");
    assert_eq!(letters(&["0", "x"]).1, Some("x".to_owned()));
}

proptest::proptest! {
    /// Events come in any order.
    #[test]
    fn order_makes_no_difference(order in proptest::sample::subsequence((0..11_usize).collect::<Vec<_>>(), 11), turn in 0..11_usize) {
        let all = events();
        let mut mixed: Vec<_> = order.iter().map(|place| all[*place].clone()).collect();
        mixed.rotate_left(turn);
        mixed.reverse();
        let (one, other) = (fleet(&all), fleet(&mixed));
        proptest::prop_assert_eq!(one.causes(), other.causes());
        let text = |fleet: &Fleet| serde_json::to_string(&fleet.machines()).unwrap();
        proptest::prop_assert_eq!(text(&one), text(&other));
    }
}
