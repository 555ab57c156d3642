//! A kernel that was tainted before monitoring began.

use super::*;
use crate::{
    klog::{Line, Scanner},
    taint::tables::LINUX,
};

const SECOND: u64 = 1_000_000_000;

fn identity() -> Identity {
    Identity {
        host: None,
        boot_id: "b-1".into(),
        release: "6.1.0".into(),
    }
}

fn began() -> Began {
    Began {
        boottime_ns: 100 * SECOND,
        time: Time("2026-01-01T00:01:40Z".parse().unwrap()),
        log_offset_ns: 0,
    }
}

fn evidence(mask: u64, lines: &[(u64, &str)]) -> BaselineEvidence {
    let mut scanner = Scanner::new();
    let mut findings = Vec::new();
    for (second, text) in lines {
        findings.extend(scanner.push(&Line {
            since_boot: Some(second * SECOND),
            ..Line::of(text)
        }));
    }
    findings.extend(scanner.finish());
    BaselineEvidence {
        table: LINUX,
        mask: Mask(mask),
        findings,
        log_is_whole: true,
        modules: Vec::new(),
        command_line: String::new(),
    }
}

fn short(events: &[Event]) -> Vec<(u32, Option<&str>, Confidence)> {
    events
        .iter()
        .map(|event| {
            let bit = event.bit();
            let module = event.module_name();
            (
                bit.unwrap_or(99),
                module,
                event.cause.as_ref().unwrap().confidence,
            )
        })
        .collect()
}

const OOT: &str = "a: loading out-of-tree module taints kernel.";

#[test]
fn the_log_names_the_first_and_the_list_the_rest() {
    let mut evidence = evidence(1 << 12 | 1 << 6, &[(5, OOT)]);
    evidence.modules = loaded("a 1 0 - Live 0x0 (O)\nb 1 0 - Live 0x0 (O)\n", LINUX);
    let events = events(&evidence, &Past::default(), &identity(), began());
    assert_eq!(
        short(&events),
        [
            (12, Some("a"), Confidence::Logged),
            (12, Some("b"), Confidence::Listed),
            (6, None, Confidence::Unattributed),
        ]
    );
    assert_eq!(events[0].boottime_ns, Some(5 * SECOND));
    assert_eq!(events[0].time.to_string(), "2026-01-01T00:00:05.000000000Z");
    assert!(
        events[2]
            .cause
            .as_ref()
            .unwrap()
            .summary
            .contains("prints nothing")
    );
    let again: Vec<_> = super::events(&evidence, &Past::default(), &identity(), began());
    let ids = |events: &[Event]| {
        events
            .iter()
            .map(|event| event.id.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&events), ids(&again));
}

#[test]
fn what_a_watch_saw_is_not_told_again() {
    let evidence = evidence(
        1 << 12 | 1 << 9,
        &[(5, OOT), (50, "BUG: scheduling while atomic: x/7/0x2")],
    );
    let coverage = |state: &str, second: u64| -> Event {
        serde_json::from_value(serde_json::json!({
            "schema": 1, "id": "c", "seq": 1, "kind": "coverage", "boottime_ns": second * SECOND,
            "coverage": {"state": state, "reason": ""},
        }))
        .unwrap()
    };
    let history = [coverage("began", 40), coverage("ended", 60)];
    let past = Past::of(&history, 0);
    let events = events(&evidence, &past, &identity(), began());
    assert_eq!(
        short(&events),
        [
            (12, Some("a"), Confidence::Logged),
            (9, None, Confidence::Unattributed)
        ],
        "the time of the warning at 50 is covered; nothing recorded it"
    );
}

#[test]
fn a_line_whose_flag_is_clear_was_misread_and_a_state_that_lost_a_flag_is_told() {
    let lines = [
        (5, OOT),
        (
            7,
            "CPU: 0 PID: 1 Comm: x Tainted: G           OE      6.1.0 #1",
        ),
    ];
    let events = events(
        &evidence(1 << 12, &lines),
        &Past::default(),
        &identity(),
        began(),
    );
    let written = events
        .iter()
        .find(|event| event.kind == Kind::MaskWrite)
        .unwrap();
    assert_eq!(written.taint.as_ref().unwrap().bits_cleared, Some(vec![13]));
    assert!(
        events
            .iter()
            .all(|event| event.taint.as_ref().unwrap().bit != Some(13))
    );
}

#[test]
fn the_command_line_is_a_candidate_and_no_proof() {
    let mut evidence = evidence(1 << 2 | 1 << 17, &[]);
    evidence.command_line = "quiet clearcpuid=smap".into();
    let events = events(&evidence, &Past::default(), &identity(), began());
    for (event, word) in events.iter().zip(["clearcpuid=", "built"]) {
        let cause = event.cause.as_ref().unwrap();
        assert_eq!(
            (cause.class, cause.confidence),
            (Class::Boot, Confidence::Unattributed)
        );
        assert!(cause.summary.contains(word), "{}", cause.summary);
    }
}
