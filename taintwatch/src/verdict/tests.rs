//! Exit codes and what they follow from.

use serde_json::json;

use super::*;

pub(crate) fn policy(rules: &[&str]) -> Policy {
    Policy {
        rules: rules.iter().map(|rule| rule.parse().unwrap()).collect(),
        whose: vec![Whose::Command, Whose::Unknown],
        gaps_allowed: false,
        today: jiff::civil::date(2026, 6, 15),
    }
}

pub(crate) fn judge(policy: Policy) -> Judge {
    let processes = Processes {
        cgroup: Some("run-1".to_owned()),
        root: Some(400),
    };
    Judge::new(processes, policy)
}

pub(crate) fn command(ended: Ended) -> Command {
    Command {
        words: ["insmod", "it's.ko"].map(str::to_owned).to_vec(),
        ended,
        began: Time("2026-06-15T10:00:00Z".parse().unwrap()),
        lasted_ns: 3_200_000_000,
        cgroup: Some("/run-1".to_owned()),
        left_running: false,
    }
}

pub(crate) fn taint(cgroup: &str, letter: char, bit: u32, count: u64) -> Event {
    serde_json::from_value(json!({
        "schema": 1, "id": "x", "seq": 1, "kind": "taint", "context": "task", "time": "2026-06-15T10:00:01Z",
        "taint": {"bit": bit, "letter": letter, "first": count == 1, "count": count},
        "cause": {"class": "module_load", "summary": "a module was loaded: m\u{1b}[31m, by insmod (pid 9)",
            "confidence": "observed", "sources": []},
        "module": {"name": "m"}, "caller": "load_module+0x1/0x2",
        "task": {"pid": 9, "tid": 9, "comm": "insmod", "cgroup": cgroup},
    }))
    .unwrap()
}

pub(crate) fn interrupt() -> Event {
    serde_json::from_value(json!({
        "schema": 1, "id": "y", "seq": 2, "kind": "taint", "context": "softirq", "time": "2026-06-15T10:00:01Z",
        "taint": {"bit": 9, "letter": "W", "first": false, "count": 40},
        "cause": {"class": "module_code", "summary": "a warning in f", "confidence": "observed", "sources": []},
        "caller": "f+0x1/0x2 [m]", "module": {"name": "m"},
    }))
    .unwrap()
}

fn lost(what: &str) -> Event {
    serde_json::from_value(json!({
        "schema": 1, "id": "z", "seq": 3, "kind": "lost", "lost": {"count": 2, "reason": "full", "what": what},
    }))
    .unwrap()
}

pub(crate) fn end(judge: Judge, ended: Ended) -> Outcome {
    let masks = (Some(Mask(0)), Some(Mask(0)));
    judge.outcome(command(ended), Monitor::Daemon, masks)
}

fn code(policy: Policy, events: &[Event], ended: Ended) -> u8 {
    let mut judge = judge(policy);
    for event in events {
        judge.event(event.clone());
    }
    end(judge, ended).exit_code
}

#[test]
fn the_exit_code_is_the_commands_unless_something_counts() {
    let own = taint("/run-1", 'O', 12, 1);
    let other = taint("/else", 'O', 12, 1);
    let again = taint("/run-1", 'O', 12, 3);
    for (events, ended, expected) in [
        (vec![], Ended::Exit(0), 0),
        (vec![], Ended::Exit(7), 7),
        (vec![], Ended::Signal(15), 143),
        (vec![own.clone()], Ended::Exit(0), 99),
        (vec![again], Ended::Exit(0), 99),
        (vec![own], Ended::Exit(7), 99),
        (vec![interrupt()], Ended::Exit(0), 99),
        (vec![other], Ended::Exit(7), 7),
        (vec![], Ended::NotFound("no".to_owned()), 127),
        (vec![], Ended::NotStarted("no".to_owned()), 126),
        (vec![lost("module_load")], Ended::Exit(0), 125),
        (vec![lost("detail"), lost("log_line")], Ended::Exit(0), 0),
        (vec![lost("event"), interrupt()], Ended::Exit(0), 99),
    ] {
        let found = code(policy(&[]), &events, ended.clone());
        assert_eq!(found, expected, "{ended:?} {events:?}");
    }
}

#[test]
fn whose_taints_count_is_asked_for() {
    let other = taint("/else", 'O', 12, 1);
    let mut all = policy(&[]);
    all.whose.push(Whose::Other);
    assert_eq!(code(all, &[other], Ended::Exit(0)), 99);
    let mut own = policy(&[]);
    own.whose = vec![Whose::Command];
    assert_eq!(code(own, &[interrupt()], Ended::Exit(0)), 0);
}

#[test]
fn what_is_allowed_does_not_count_and_is_counted() {
    let mut judge = judge(policy(&[
        "O,module=m,expires=2026-06-15",
        "W,expires=2026-01-01",
        "P",
    ]));
    judge.event(taint("/run-1", 'O', 12, 3));
    judge.event(taint("/run-1", 'O', 12, 1));
    let outcome = end(judge, Ended::Exit(0));
    assert_eq!((outcome.exit_code, outcome.used), (0, vec![4, 0, 0]));
    let rules = &["W,expires=2026-01-01"];
    assert_eq!(code(policy(rules), &[interrupt()], Ended::Exit(0)), 99);
}

#[test]
fn gaps_are_no_success_unless_they_are_accepted() {
    let degraded: Event = serde_json::from_value(json!({
        "schema": 1, "id": "z", "seq": 3, "kind": "coverage", "coverage": {"state": "degraded", "reason": "no hooks"},
    }))
    .unwrap();
    assert_eq!(
        code(policy(&[]), std::slice::from_ref(&degraded), Ended::Exit(0)),
        125
    );
    let mut accepted = policy(&[]);
    accepted.gaps_allowed = true;
    assert_eq!(code(accepted, &[degraded], Ended::Exit(3)), 3);
}

#[test]
fn a_flag_that_no_event_shows_is_a_gap() {
    let masks = (Some(Mask(1)), Some(Mask(0x201)));
    let outcome = judge(policy(&[])).outcome(command(Ended::Exit(0)), Monitor::Itself, masks);
    assert_eq!(outcome.exit_code, UNWATCHED);
    let mut judge = judge(policy(&["W"]));
    judge.event(interrupt());
    let outcome = judge.outcome(command(Ended::Exit(0)), Monitor::Itself, masks);
    assert_eq!(outcome.exit_code, 0);
}

#[test]
fn many_events_take_a_bounded_place() {
    let mut judge = judge(policy(&[]));
    for _ in 0..KEPT + 5 {
        judge.event(taint("/else", 'O', 12, 1));
    }
    judge.event(interrupt());
    let outcome = end(judge, Ended::Exit(0));
    assert_eq!((outcome.taints.len(), outcome.more), (KEPT, 6));
    assert_eq!(outcome.exit_code, TAINTED);
    assert_eq!(outcome.groups().len(), 1);
}

#[test]
fn what_is_found_out_later_counts() {
    let mut judge = judge(policy(&["signer=CN=a"]));
    let event = taint("/run-1", 'O', 12, 1);
    judge.event(event.clone());
    let mut known = event;
    known.module.as_mut().unwrap().signer = Some("CN=a".to_owned());
    judge.amend(known);
    let outcome = end(judge, Ended::Exit(0));
    assert_eq!((outcome.exit_code, outcome.used), (0, vec![1]));
    assert_eq!(outcome.taints.len(), 1);
}
