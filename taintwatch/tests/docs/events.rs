//! Events against the schema: those of the fixtures, and those that `analyze` reads from every log.

use std::{fs, process::Command};

use serde_json::{Value, json};

use super::{
    files::{read, root},
    schema::{Strict, check},
};

fn parsed(text: &str) -> Vec<Value> {
    let events = text.lines().map(|line| serde_json::from_str(line).unwrap());
    events
        .filter(|event: &Value| event.get("heartbeat").is_none())
        .collect()
}

#[test]
fn the_history_of_the_fixture_is_valid() {
    let events = parsed(&read("taintwatch/tests/fixtures/three-boots.jsonl"));
    assert!(events.len() > 40);
    check(&events).unwrap();
}

#[test]
fn the_examples_of_the_schema_are_valid() {
    let schema: Value = serde_json::from_str(&read("docs/event.schema.json")).unwrap();
    let examples = schema["examples"].as_array().unwrap();
    assert_eq!(examples.len(), 4);
    check(examples).unwrap();
}

#[test]
fn what_analyze_reads_from_each_log_is_valid() {
    let logs = fs::read_dir(root().join("tests/fixtures/logs")).unwrap();
    let mut logs: Vec<_> = logs.map(|entry| entry.unwrap().path()).collect();
    logs.retain(|path| path.is_file());
    logs.sort();
    let analyze = Command::new(env!("CARGO_BIN_EXE_taintwatch"))
        .args(["analyze", "--json"])
        .args(&logs)
        .output()
        .unwrap();
    let events = parsed(&String::from_utf8(analyze.stdout).unwrap());
    assert!(events.len() > logs.len(), "{} events", events.len());
    check(&events).unwrap();
}

#[test]
fn another_key_a_null_and_a_missing_part_are_refused() {
    let strict = Strict::published().unwrap();
    let with = |key: &str, value: Value| {
        let mut event =
            json!({"schema": 1, "id": "x", "seq": 1, "kind": "taint", "taint": {"bit": 9}});
        event[key] = value;
        event
    };
    strict.check(&with("cpu", 3.into())).unwrap();
    for (what, key, value) in [
        ("a renamed key", "taint", json!({"flag": 9})),
        ("a new key", "kernel", "6.1".into()),
        ("null", "host", Value::Null),
        ("a kind without its part", "kind", "coverage".into()),
        ("an unknown kind", "kind", "taints".into()),
        ("a decimal mask", "taint", json!({"mask_after": "512"})),
    ] {
        assert!(strict.check(&with(key, value)).is_err(), "{what} is taken");
    }
}
