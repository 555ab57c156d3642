//! The model against a history of three boots: a wall clock that is set, gaps, a late crash, hostile names.

use super::*;
use crate::event::Confidence;

const LINES: &str = include_str!("../../tests/fixtures/three-boots.jsonl");
pub(crate) const A: &str = "1f0e7c52-3b64-4d0a-9a41-5c1f2b7de001";
pub(crate) const B: &str = "1f9b20aa-7c11-4e57-8d20-90aa17c4b002";
pub(crate) const C: &str = "c2d4e6f8-0a1b-4c3d-9e5f-6a7b8c9d0003";

/// The recorded events, and the last heartbeat of the boot that crashed; the third boot goes on.
pub(crate) fn fixture() -> (Vec<Event>, Liveness) {
    let mut liveness = Liveness::default();
    let mut events = Vec::new();
    for line in LINES.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        if let Some(boot) = value["heartbeat"].as_str() {
            let stamp = Stamp {
                time: serde_json::from_value(value["time"].clone()).unwrap(),
                boottime_ns: value["boottime_ns"].as_u64(),
            };
            liveness.heartbeats.insert(boot.to_owned(), stamp);
        } else {
            events.push(serde_json::from_value(value).unwrap());
        }
    }
    let until = Stamp {
        time: Time("2026-01-06T11:02:00Z".parse().unwrap()),
        boottime_ns: Some(3_600_000_000_000),
    };
    let now = Now {
        until,
        running: true,
        monitored: None,
    };
    liveness.current = Some((C.to_owned(), now));
    (events, liveness)
}

/// A boot of many events: each its own cause, with clearings, failed loads, losses and restarts of the daemon.
pub(crate) fn storm(number: u64) -> Vec<Event> {
    let kinds = [
        Kind::Taint,
        Kind::Taint,
        Kind::Taint,
        Kind::MaskWrite,
        Kind::ModuleLoadFailed,
        Kind::Lost,
        Kind::ModuleLoad,
        Kind::Coverage,
    ];
    let event = |seq: u64| {
        let (kind, flag) = (seq % 8, [9, 12, 13][usize::try_from(seq % 3).unwrap()]);
        let function = format!("function_{seq}+0x1a/0x40");
        let mut event = serde_json::json!({
            "schema": 1, "id": seq.to_string(), "seq": seq, "boot_id": A, "boottime_ns": seq * 1_000_000_000,
            "time": jiff::Timestamp::from_second(1_700_000_000 + i64::try_from(seq).unwrap()).unwrap().to_string(),
            "kind": kinds[usize::try_from(kind).unwrap()],
        });
        let cause = serde_json::json!({
            "class": "kernel_code", "summary": format!("the kernel issued a warning at {function}"),
            "confidence": "observed", "sources": ["mask_watch", "taint_entry"],
        });
        let more = match kind {
            0..=2 => serde_json::json!({
                "taint": {"bit": flag, "first": seq.is_multiple_of(2)}, "cause": cause, "caller": function,
                "stack": vec![function.clone(); 20], "log": vec!["a line of the kernel log"; 40],
            }),
            3 => serde_json::json!({"taint": {"bits_cleared": [flag]}, "cause": cause}),
            4 | 6 => {
                serde_json::json!({"module": {"name": format!("module_{}", seq % 5000), "taints": "OE"}})
            }
            5 => {
                serde_json::json!({"lost": {"count": 2, "what": "detail", "reason": "the ring buffer was full"}})
            }
            _ => {
                serde_json::json!({"coverage": {"state": if seq % 16 == 7 { "began" } else { "ended" }, "reason": "x"}})
            }
        };
        for (name, value) in more.as_object().unwrap() {
            event[name] = value.clone();
        }
        serde_json::from_value(event).unwrap()
    };
    (1..=number).map(event).collect()
}

fn flag<'h, 'a>(boot: &'h BootHistory<'a>, letter: char) -> &'h Flag<'a> {
    let found = boot.flags.iter().find(|flag| flag.letter == Some(letter));
    found.unwrap()
}

fn module<'h, 'a>(boot: &'h BootHistory<'a>, name: &str) -> &'h Module<'a> {
    boot.modules
        .iter()
        .find(|module| module.name == name)
        .unwrap()
}

#[test]
fn boots_stand_in_the_order_of_recording_whatever_the_wall_clock_says() {
    let (events, liveness) = fixture();
    let history = History::of(&events, &liveness);
    let ids: Vec<_> = history.boots.iter().map(|boot| boot.id).collect();
    assert_eq!(ids, [Some(A), Some(B), Some(C), None]);
    let [a, b, c, unknown] = history.boots.as_slice() else {
        panic!()
    };
    assert_eq!(
        (a.end, b.end, c.end, unknown.end),
        (End::Clean, End::Unclean, End::Running, End::NotMonitored)
    );
    assert_eq!(a.releases, ["6.1.0-18-amd64"]);
    let total: usize = history.boots.iter().map(|boot| boot.events.len()).sum();
    assert_eq!(total, events.len());
}

/// The start of monitoring with flags set, on a kernel of this release.
fn found_set(release: &str, vendor: Option<&str>) -> Vec<Event> {
    let event = serde_json::json!({
        "schema": 1, "id": "1", "seq": 1, "kind": "coverage", "boot_id": A, "time": "2026-01-05T08:00:11Z",
        "boottime_ns": 1, "coverage": {"state": "began", "reason": "", "release": release, "mask": "0x80010000"},
        "taint": {"vendor": vendor},
    });
    vec![serde_json::from_value(event).unwrap()]
}

#[test]
fn a_bit_that_only_a_mask_shows_is_named_as_its_kernel_names_it() {
    let marks = |release, vendor| {
        let events = found_set(release, vendor);
        History::of(&events, &Liveness::default()).boots[0].marks()
    };
    assert_eq!(marks("6.1.0-18-amd64", None), "X[31]");
    assert_eq!(marks("5.14.21-150500.55.39-default", None), "XN");
    assert_eq!(marks("5.14.21-custom", None), "X[31]");
    assert_eq!(marks("5.14.21-custom", Some("suse")), "Xn");
    assert_eq!(marks("5.14.21-custom", Some("linux")), "X[31]");
}

#[test]
fn a_set_clock_disorders_nothing_and_is_reported() {
    let (events, liveness) = fixture();
    let history = History::of(&events, &liveness);
    let b = &history.boots[1];
    let clocks: Vec<_> = b
        .events
        .iter()
        .filter_map(|event| event.boottime_ns)
        .collect();
    assert!(clocks.is_sorted());
    assert_eq!(b.clock_changes.len(), 1);
    assert_eq!(b.clock_changes[0].before.boottime_ns, Some(12_300_000_000));
    assert_eq!(b.clock_changes[0].by.as_hours(), 219 * 24 + 7);
    assert!(history.boots[0].clock_changes.is_empty() && history.boots[2].clock_changes.is_empty());
    let spans: Vec<_> = b
        .coverage
        .intervals
        .iter()
        .map(|it| (it.period.from_ns, it.period.to_ns, it.full))
        .collect();
    let second = |number: u64| Some(number * 1_000_000_000);
    assert_eq!(
        spans,
        [
            (Some(9_500_000_000), second(1800), true),
            (second(1800), second(3600), false),
            (second(5400), second(8995), true),
        ]
    );
}

#[test]
fn what_a_crash_left_is_part_of_the_boot_that_crashed() {
    let (events, liveness) = fixture();
    let history = History::of(&events, &liveness);
    let b = &history.boots[1];
    let last = b.events.last().unwrap();
    assert_eq!(last.taint.as_ref().unwrap().letter, Some('D'));
    assert_eq!(b.crash().map(|event| event.seq), Some(last.seq));
    assert_eq!(flag(b, 'D').confidence, Confidence::Logged);
    // The last heartbeat is before the crash: between them is a gap.
    let gaps: Vec<_> = b
        .coverage
        .gaps
        .iter()
        .map(|it| (it.period.from_ns, it.period.to_ns))
        .collect();
    assert_eq!(
        gaps.last(),
        Some(&(Some(8_995_000_000_000), Some(9_000_400_000_000)))
    );
    assert_eq!(gaps.len(), 3);
}

#[test]
fn flags_have_their_first_setting_and_all_others() {
    let (events, liveness) = fixture();
    let history = History::of(&events, &liveness);
    let [a, b, c, _] = history.boots.as_slice() else {
        panic!()
    };
    let warned = flag(a, 'W');
    assert_eq!(
        (warned.count, warned.events.len(), warned.reasons.len()),
        (14, 3, 1)
    );
    assert_eq!(warned.first.unwrap().boottime_ns, Some(5_400_500_000_000));
    assert_eq!(flag(b, 'W').count, 8 + 3187);
    assert_eq!(flag(b, 'O').cleared.len(), 1);
    assert_eq!(flag(b, 'O').reasons.len(), 2);
    // A module that is only listed is no first setting, and the loader's repeat is none either.
    assert_eq!(flag(c, 'O').confidence, Confidence::Listed);
    assert_eq!(flag(c, 'S').confidence, Confidence::Unattributed);
    assert_eq!(
        flag(c, 'U').first.unwrap().boottime_ns,
        Some(900_000_000_000)
    );
    assert_eq!(b.mask_writes().count(), 1);
    assert_eq!(
        (
            Losses::of(b.losses()).detail,
            Losses::of(b.losses()).records
        ),
        (41, 0)
    );
}

#[test]
fn modules_have_their_times_and_nothing_is_filled_in() {
    let (events, liveness) = fixture();
    let history = History::of(&events, &liveness);
    let [a, b, c, _] = history.boots.as_slice() else {
        panic!()
    };
    let sound = &module(a, "snd_hda_intel").spans;
    let ends = |span: &Span| {
        (
            span.from.and_then(|at| at.boottime_ns),
            span.to.and_then(|at| at.boottime_ns),
        )
    };
    assert_eq!(
        sound.iter().map(ends).collect::<Vec<_>>(),
        [(Some(14_900_000_000), Some(14_000_000_000_000))]
    );
    assert_eq!(module(a, "nvidia").set.len(), 4);
    let failed = module(b, "zfs");
    assert!(failed.spans.is_empty() && failed.failed.len() == 1);
    assert_eq!(
        module(c, "vboxdrv").spans,
        [Span {
            from: None,
            to: None
        }]
    );
    let rowdy = module(b, "<img src=x onerror=document.title='owned'>");
    assert_eq!(rowdy.spans.len(), 1);
}

#[test]
fn a_mask_alone_names_no_cause() {
    let event = |body| serde_json::from_value::<Event>(body).unwrap();
    let events = [event(serde_json::json!({
        "schema": 1, "id": "x", "seq": 1, "kind": "coverage", "boot_id": "b", "time": "2026-01-01T00:00:00Z",
        "coverage": {"state": "began", "reason": "all", "mask": "0x80000001"},
    }))];
    let history = History::of(&events, &Liveness::default());
    let flags = &history.boots[0].flags;
    assert_eq!(
        flags.iter().map(Flag::mark).collect::<Vec<_>>(),
        ["P", "[31]"]
    );
    assert!(
        flags
            .iter()
            .all(|flag| flag.first.is_none() && flag.count == 0)
    );
}

#[test]
fn a_boot_that_only_a_crash_record_names_is_before_the_one_that_found_it() {
    let line = |seq: u64, boot: &str, sources: &[&str], second: u32| {
        serde_json::from_value::<Event>(serde_json::json!({
            "schema": 1, "id": seq.to_string(), "seq": seq, "kind": "taint", "boot_id": boot,
            "time": format!("2026-01-01T00:00:{second:02}Z"), "taint": {"bit": 9},
            "cause": {"class": "unknown", "summary": "s", "confidence": "logged", "sources": sources},
        }))
        .unwrap()
    };
    let crash = ["crash"].as_slice();
    let events = [
        line(1, "one", &["taint_entry"], 1),
        line(2, "three", &["taint_entry"], 30),
        line(3, "two", crash, 20),
        line(4, "one", crash, 2),
        line(5, "three", &["taint_entry"], 31),
        line(6, "lost", crash, 40),
    ];
    let history = History::of(&events, &Liveness::default());
    let ids: Vec<_> = history.boots.iter().filter_map(|boot| boot.id).collect();
    assert_eq!(ids, ["one", "two", "lost", "three"]);
    assert_eq!(history.boots[0].events.len(), 2);
}

#[test]
fn boots_are_named_by_steps_back_by_the_start_of_an_id_and_all_at_once() {
    let (events, liveness) = fixture();
    let history = History::of(&events, &liveness);
    let ids = |words: &[&str], current| {
        let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
        let boots = select(&history, &words, current).map_err(|error| error.to_string())?;
        Ok::<_, String>(boots.iter().map(|boot| boot.id).collect::<Vec<_>>())
    };
    assert_eq!(ids(&["0"], Some(C)), Ok(vec![Some(C)]));
    assert_eq!(ids(&["-1"], Some(C)), Ok(vec![Some(B)]));
    assert_eq!(ids(&["-1"], Some("elsewhere")), Ok(vec![Some(C)]));
    assert_eq!(ids(&["-2", "1F0E7C52-3"], None), Ok(vec![Some(A), Some(B)]));
    assert_eq!(ids(&["1f9b20aa7c11"], None), Ok(vec![Some(B)]));
    assert_eq!(ids(&["all"], None).map(|ids| ids.len()), Ok(4));
    for (words, says) in [
        ("0", "--boot -1 is the newest of its 3"),
        ("-4", "the history has 3 boots"),
        ("1f", A),
        ("1", A),
        ("f00", "begins with \"f00\""),
        ("", "begins with \"\""),
    ] {
        let error = ids(&[words], None).unwrap_err();
        assert!(error.contains(says), "{words}: {error}");
    }
}

#[test]
fn two_boots_differ_by_kernel_flags_and_versions() {
    let (events, liveness) = fixture();
    let history = History::of(&events, &liveness);
    let (a, c) = (&history.boots[0], &history.boots[2]);
    let found = diff(a, c);
    let letters = |sets: &[diff::Set]| sets.iter().filter_map(|set| set.letter).collect::<String>();
    assert_eq!(letters(&found.flags_only_a), "W");
    assert_eq!(letters(&found.flags_only_b), "SU");
    let other: String = found
        .flags_other_cause
        .iter()
        .filter_map(|both| both.a.letter)
        .collect();
    assert_eq!(other, "OE");
    let changed = &found.modules_changed[0];
    assert_eq!(changed.name, "nvidia");
    let version = &changed.changes[0];
    assert_eq!(
        (version.what, version.a[0].as_str(), version.b[0].as_str()),
        ("version", "535.183.01", "545.29.06")
    );
    assert!(diff(a, a).is_empty() && !found.is_empty());
}

#[test]
fn what_was_watched_in_part_counts_as_not_watched() {
    let (events, liveness) = fixture();
    let mut history = History::of(&events, &liveness);
    let boot = history
        .boots
        .iter_mut()
        .find(|boot| !boot.coverage.gaps.is_empty())
        .unwrap();
    for interval in &mut boot.coverage.intervals {
        interval.full = false;
    }
    let expected = boot.coverage.gaps.len() + boot.coverage.intervals.len();
    assert_eq!(diff(boot, boot).a.not_watched, expected);
    assert!(expected > boot.coverage.gaps.len());
}

proptest::proptest! {
    /// Whatever order and clocks events have: each is in one boot, and none gets lost.
    #[test]
    fn no_event_gets_lost(recorded in proptest::collection::vec((0_u8..4, proptest::option::of(0_u64..50), proptest::bool::ANY, -99_i64..99), 0..40)) {
        let events: Vec<Event> = (1_u64..).zip(recorded).map(|(seq, (boot, clock, crash, second))| {
            let mut event: Event = serde_json::from_value(serde_json::json!({
                "schema": 1, "id": seq.to_string(), "seq": seq, "kind": "taint", "time": "2026-01-01T00:00:00Z",
                "taint": {"bit": 9}, "boottime_ns": clock,
                "cause": {"class": "unknown", "summary": "s", "confidence": "logged", "sources": if crash { vec!["crash"] } else { vec![] }},
            })).unwrap();
            event.boot_id = (boot > 0).then(|| boot.to_string());
            event.time = Time(event.time.0 + SignedDuration::from_secs(second));
            event
        }).collect();
        let history = History::of(&events, &Liveness::default());
        let mut seen: Vec<_> = history.boots.iter().flat_map(|boot| &boot.events).map(|event| event.seq).collect();
        seen.sort_unstable();
        proptest::prop_assert_eq!(seen, (1..).take(events.len()).collect::<Vec<u64>>());
        for boot in &history.boots {
            let clocks: Vec<_> = boot.events.iter().filter_map(|event| event.boottime_ns).collect();
            proptest::prop_assert!(clocks.is_sorted());
        }
    }
}

/// Each part of a comparison alone is a difference.
#[test]
fn boots_differ_where_one_thing_does() {
    let (events, liveness) = fixture();
    let history = History::of(&events, &liveness);
    let boot = &history.boots[0];
    let set = || diff::Set {
        bit: 9,
        letter: None,
        name: None,
        count: 1,
        confidence: Confidence::Observed,
        causes: Vec::new(),
    };
    let both = || diff::Both { a: set(), b: set() };
    let identity = || Identity {
        name: "m".to_owned(),
        versions: Vec::new(),
        srcversions: Vec::new(),
        build_ids: Vec::new(),
        sha256: Vec::new(),
        paths: Vec::new(),
        signers: Vec::new(),
        taints: String::new(),
    };
    let changes: [&dyn Fn(&mut Diff); 8] = [
        &|diff| diff.a.releases.push("x".to_owned()),
        &|diff| diff.flags_only_a.push(set()),
        &|diff| diff.flags_only_b.push(set()),
        &|diff| diff.flags_other_cause.push(both()),
        &|diff| diff.flags_other_count.push(both()),
        &|diff| diff.modules_only_a.push(identity()),
        &|diff| diff.modules_only_b.push(identity()),
        &|diff| {
            diff.modules_changed.push(diff::Difference {
                name: "m".to_owned(),
                changes: Vec::new(),
            });
        },
    ];
    for (place, change) in changes.iter().enumerate() {
        let mut found = diff(boot, boot);
        assert!(found.is_empty());
        change(&mut found);
        assert!(!found.is_empty(), "{place}");
    }
}

/// Of several events of the first setting.
#[test]
fn the_surest_event_is_the_first_setting() {
    let event = |confidence: &str, seq: u64| -> Event {
        serde_json::from_value(serde_json::json!({
            "schema": 1, "id": seq.to_string(), "seq": seq, "boot_id": A, "boottime_ns": seq,
            "time": "2026-01-01T00:00:00Z", "kind": "taint", "taint": {"bit": 9, "count": 1, "mask_after": "0x200"},
            "cause": {"class": "unknown", "summary": "s", "confidence": confidence, "sources": []},
        }))
        .unwrap()
    };
    let first = |all: &[&str]| {
        let events: Vec<_> = (1..).zip(all).map(|(seq, one)| event(one, seq)).collect();
        let events: Vec<_> = events.iter().collect();
        let flags = flag::of(&events, &Omitted::default(), LINUX);
        assert_eq!(flags.len(), 1);
        (flags[0].first.unwrap().seq, flags[0].is_timed())
    };
    assert_eq!(first(&["listed", "observed"]), (2, true));
    assert_eq!(first(&["observed", "listed"]), (1, true));
    assert_eq!(first(&["observed", "observed"]), (1, true));
    assert_eq!(first(&["listed", "listed"]), (1, false));
    assert_eq!(first(&["unattributed", "logged"]), (2, true));
}

/// A mask that stays as it is shows its flags too, and so does one that two events have.
#[test]
fn every_flag_of_every_mask_is_seen() {
    let event: Event = serde_json::from_value(serde_json::json!({
        "schema": 1, "id": "x", "seq": 1, "kind": "mask_write", "time": "2026-01-01T00:00:00Z",
        "taint": {"count": 1, "mask_before": "0x200", "mask_after": "0x201"},
    }))
    .unwrap();
    let flags = flag::of(&[&event, &event], &Omitted::default(), LINUX);
    let bits: Vec<_> = flags.iter().map(|flag| flag.bit).collect();
    assert_eq!(bits, [0, 9]);
}

/// Found later than it happened: in a crash's log, or in the kernel log at the start.
#[test]
fn an_import_is_what_a_log_of_before_says() {
    let is_import = |confidence: &str, source: &str| {
        let event: Event = serde_json::from_value(serde_json::json!({
            "schema": 1, "id": "x", "seq": 1, "kind": "taint", "time": "2026-01-01T00:00:00Z",
            "cause": {"class": "unknown", "summary": "s", "confidence": confidence, "sources": [source]},
        }))
        .unwrap();
        order::is_import(&event)
    };
    assert!(is_import("logged", "crash") && is_import("logged", "baseline"));
    assert!(!is_import("listed", "baseline") && !is_import("observed", "taint_entry"));
}
