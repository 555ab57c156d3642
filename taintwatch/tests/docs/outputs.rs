//! What is listed by hand in `docs/events.md` and in the README, against what the program prints.

use std::{collections::BTreeSet, fs, process};

use clap::CommandFactory as _;
use serde_json::{Value, json};
use taintwatch::{
    cli::Cli,
    event::{Event, Mask},
    kernel::identity::Identity,
    output::journald,
    store::Store,
    verdict::{
        Command, Ended, Judge, Monitor, Policy,
        whose::{Processes, Whose},
    },
};

use super::files::{listed, root};

const EVENTS: &str = "docs/events.md";

fn lines(args: &[&str]) -> Vec<Value> {
    let mut command = process::Command::new(env!("CARGO_BIN_EXE_taintwatch"));
    let output = String::from_utf8(command.args(args).output().unwrap().stdout).unwrap();
    let lines: Vec<_> = output.lines().collect();
    assert!(lines.len() > 5, "{output}");
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn taintwatch(args: &[&str]) -> Value {
    let mut command = process::Command::new(env!("CARGO_BIN_EXE_taintwatch"));
    let output = command.args(args).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// An event that has everything that a journal entry can show.
fn event() -> Event {
    let event = json!({
        "schema": 1, "id": "x", "seq": 1, "kind": "taint", "time": "2026-01-02T03:04:05Z",
        "boot_id": Identity::read().unwrap().boot_id, "caller": "f+0x1", "context": "task",
        "taint": {"bit": 13, "letter": "E", "name": "UNSIGNED_MODULE", "mask_before": "0x0", "mask_after": "0x2000"},
        "cause": {"class": "module_load", "summary": "", "confidence": "observed", "sources": []},
        "module": {"name": "m", "version": "1", "errno": "ENOENT", "license": "GPL", "signature": "appended",
            "signer": "CN=a", "path": "/m.ko", "sha256": "0", "build_id": "0"}, "task": {"pid": 1, "tid": 1, "comm": "a"},
    });
    serde_json::from_value(event).unwrap()
}

fn assert_documented(output: &Value, heading: &str) {
    let listed = listed(EVENTS, heading);
    for key in output.as_object().unwrap().keys() {
        assert!(
            listed.contains(key),
            "{EVENTS}, {heading}: {key} is missing"
        );
    }
}

#[test]
fn the_keys_of_one_shot_verbs_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("events.db");
    Store::create(&db).unwrap().append(&mut event()).unwrap();
    let db = db.to_str().unwrap();
    let status = taintwatch(&["status", "--json", "--db", db]);
    assert_documented(&status, "### `status --json`");
    let none = taintwatch(&["status", "--json", "--db", "/nonexistent"]);
    assert!(none.get("history_error").is_some());
    assert_documented(&none, "### `status --json`");
    for text in ["T", "Tainted: G        W", "2147483648"] {
        let decoded = taintwatch(&["decode", "--json", text]);
        assert_documented(&decoded, "### `decode --json`");
        assert_documented(&decoded["flags"][0], "### `decode --json`");
    }
    let events = root().join("taintwatch/tests/fixtures/three-boots.jsonl");
    let events = events.to_str().unwrap();
    for object in lines(&["report", "--events", events, "--fleet", "--json"]) {
        let heading = "### `report --fleet --json`";
        assert_documented(&object, heading);
        object
            .as_object()
            .unwrap()
            .values()
            .for_each(|part| assert_documented(part, heading));
    }
    let check = taintwatch(&["check", "--json"]);
    assert_documented(&check, "### `check --json`");
    assert_documented(&check["hooks"][0], "### `check --json`");
    assert_documented(&check["prerequisites"][0], "### `check --json`");
}

#[test]
fn the_keys_of_a_run_are_listed() {
    let policy = Policy {
        rules: vec!["W,expires=2026-01-01".parse().unwrap()],
        whose: vec![Whose::Command],
        gaps_allowed: false,
        today: jiff::civil::date(2026, 6, 15),
    };
    let mut judge = Judge::new(Processes::default(), policy);
    judge.event(event());
    let command = Command {
        words: vec!["x".to_owned()],
        ended: Ended::Exit(0),
        began: event().time,
        lasted_ns: 1,
        cgroup: Some("/x".to_owned()),
        left_running: false,
    };
    let masks = (Some(Mask(0)), Some(Mask(0)));
    let outcome = judge.outcome(command, Monitor::Daemon, masks);
    let outcome = serde_json::to_value(outcome).unwrap();
    for part in [&outcome, &outcome["command"], &outcome["taints"][0]] {
        assert_documented(part, "### `run --json`");
    }
}

#[test]
fn the_fields_of_the_journal_are_listed() {
    let fields = journald::fields(&event());
    let fields: BTreeSet<_> = fields.iter().map(|(name, _)| (*name).to_owned()).collect();
    let listed: BTreeSet<_> = listed(EVENTS, "## Journal fields").into_iter().collect();
    assert_eq!(listed, fields);
}

#[test]
fn the_columns_of_the_view_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("events.db");
    drop(Store::create(&db).unwrap());
    let db = rusqlite::Connection::open(db).unwrap();
    let mut names = db
        .prepare("SELECT name FROM pragma_table_info('history')")
        .unwrap();
    let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let names: Vec<_> = names.map(Result::unwrap).collect();
    assert_eq!(listed(EVENTS, "## SQL: the view `history`"), names);
}

#[test]
fn the_questions_about_many_machines_are_listed() {
    let questions = fs::read_dir(root().join("docs/fleet/clickhouse/questions")).unwrap();
    let names = questions.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names
        .map(|name| name.strip_suffix(".sql").unwrap().to_owned())
        .collect();
    names.sort();
    assert!(names.len() >= 12);
    assert_eq!(listed("docs/fleet/README.md", "### Questions"), names);
}

#[test]
fn the_readme_lists_every_verb() {
    let listed = listed("README.md", "## Commands");
    for verb in Cli::command().get_subcommands() {
        let verb = verb.get_name();
        assert!(
            listed
                .iter()
                .any(|word| word.split(' ').next() == Some(verb)),
            "the README's table of commands has no {verb}"
        );
    }
}
