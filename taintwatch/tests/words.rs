//! The command line: what the binary prints, and its exit codes.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::{
    fs::{self, Permissions},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Command, Output},
};

use taintwatch::{event::Event, kernel::identity::Identity, store::Store};

fn taintwatch(db: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taintwatch"));
    command.arg("--db").arg(db).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A history in which a module of this boot set E, without a count.
fn history(db: &Path) {
    let event = serde_json::json!({
        "schema": 1, "id": "x", "seq": 0, "kind": "taint", "time": "2026-01-02T03:04:05Z",
        "boot_id": Identity::read().unwrap().boot_id, "module": {"name": "my_module"},
        "taint": {"bit": 13, "letter": "E", "name": "UNSIGNED_MODULE"},
    });
    let mut event: Event = serde_json::from_value(event).unwrap();
    Store::create(db).unwrap().append(&mut event).unwrap();
}

#[test]
fn why_answers_in_the_form_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("events.db");
    history(&db);
    let output = taintwatch(&db, &["why", "TAINT_UNSIGNED_MODULE"]);
    assert!(
        text(&output.stdout).contains("set once in this boot"),
        "{output:?}"
    );
    assert_eq!(output.stdout, taintwatch(&db, &["why", "my_mod*"]).stdout);
    // No kernel has set this bit.
    let nothing = taintwatch(&db, &["why", "62", "--json"]);
    assert_eq!(
        (nothing.status.code(), text(&nothing.stdout)),
        (Some(0), String::new())
    );
    let unknown = taintwatch(&db, &["why", "E,my_module.ko"]);
    assert_eq!(
        (unknown.status.code(), text(&unknown.stdout)),
        (Some(2), String::new())
    );
    assert!(
        text(&unknown.stderr).contains("\"my_module.ko\" is no flag"),
        "{unknown:?}"
    );
}

/// Users who may not write next to the history can read it.
#[test]
fn a_history_is_read_in_a_read_only_folder() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("events.db");
    history(&db);
    fs::set_permissions(&db, Permissions::from_mode(0o444)).unwrap();
    let output = for_reading_alone(folder.path(), &db);
    assert!(text(&output.stdout).contains("my_module"), "{output:?}");
    // What a recorder wrote there is not in the file yet.
    fs::write(folder.path().join("events.db-wal"), "x").unwrap();
    let refused = for_reading_alone(folder.path(), &db);
    assert!(
        text(&refused.stderr).contains("become root, or copy it"),
        "{refused:?}"
    );
}

/// The events, read by a user who may not write to the folder.
fn for_reading_alone(folder: &Path, db: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taintwatch"));
    if nix::unistd::geteuid().is_root() {
        // Another user, who may have no access to where the program is built. Copied by another process: a file that
        // this one has written may be held open by a child of another test, and does not run then.
        let program = folder.join("taintwatch");
        let mut copy = Command::new("cp");
        copy.arg(env!("CARGO_BIN_EXE_taintwatch")).arg(&program);
        assert!(copy.status().unwrap().success());
        command = Command::new(program);
        command.uid(65534).gid(65534);
    }
    fs::set_permissions(folder, Permissions::from_mode(0o555)).unwrap();
    command
        .arg("--db")
        .arg(db)
        .args(["report", "--boot", "all", "--json"]);
    let output = command.output().unwrap();
    fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    output
}

#[test]
fn warnings_and_errors_have_one_form_and_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("events.db");
    history(&db);
    let page = folder.path().display().to_string();
    let error = taintwatch(&db, &["report", "--html", &page]);
    let output = format!("taintwatch: write the page {page}: name a file where you may write");
    assert!(text(&error.stderr).starts_with(&output), "{error:?}");
    fs::write(folder.path().join("dmesg.zip"), b"PK\x03\x04").unwrap();
    let mut analyze = Command::new(env!("CARGO_BIN_EXE_taintwatch"));
    let warning = analyze.args(["analyze", &page]).output().unwrap();
    let output = text(&warning.stderr);
    assert!(output.lines().count() > 0, "{warning:?}");
    assert!(
        output.lines().all(|line| line.starts_with("taintwatch: ")),
        "{output}"
    );
}

#[test]
fn config_check_says_where_and_what_and_the_daemon_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.toml");
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_taintwatch"));
        command.args(args).arg(&file).output().unwrap()
    };
    fs::write(&file, taintwatch::config::template()).unwrap();
    let shipped = run(&["config", "check"]);
    assert_eq!(shipped.status.code(), Some(0), "{shipped:?}");
    fs::write(&file, "[record]\ncmdlin = true\n\"\\u001b[2J\" = 1\n").unwrap();
    for args in [&["config", "check"][..], &["daemon", "--config"]] {
        let wrong = run(args);
        assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
        let said = text(&wrong.stderr);
        let expected = format!("{}:2:1: unknown key \"cmdlin\"", file.display());
        assert!(said.contains(&expected), "{said}");
        assert!(said.contains("did you mean \"cmdline\"?"), "{said}");
        assert!(!said.contains('\u{1b}'), "{said}");
    }
}

/// Boots that are over: nothing more comes, so `tail` ends.
#[test]
fn older_boots_can_be_asked_about() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("events.db");
    let mut store = Store::create(&db).unwrap();
    let fixture = include_str!("fixtures/three-boots.jsonl").lines();
    for event in fixture.filter(|line| !line.contains("\"heartbeat\"")) {
        let mut event: Event = serde_json::from_str(event).unwrap();
        store.append(&mut event).unwrap();
    }
    drop(store);
    let of_boot = |args: &[&str]| {
        let output = taintwatch(&db, args);
        assert!(output.status.success(), "{output:?}");
        text(&output.stdout)
    };
    let last = of_boot(&["tail", "--boot", "1f0e7c52", "-n", "2", "--json"]);
    assert_eq!(last.lines().count(), 2, "{last}");
    assert!(
        last.lines().all(|line| line.contains("1f0e7c52-3b64")),
        "{last}"
    );
    assert_eq!(
        of_boot(&["tail", "--boot", "-3", "-n", "2", "--json"]),
        last
    );
    let why = of_boot(&["why", "--boot", "1f0e7c52", "W"]);
    assert!(why.contains("set 14 times in boot 1f0e7c52-3b64-"), "{why}");
    assert!(!of_boot(&["why", "--boot", "1f0e7c52"]).contains("DIE"));
    let unknown = taintwatch(&db, &["why", "--boot", "f00"]);
    assert_eq!(unknown.status.code(), Some(2));
}

#[test]
fn explanations_are_there_for_wikis() {
    let output = taintwatch_alone(&["explain", "--markdown", "--vendor", "linux"]);
    assert!(
        text(&output.stdout).contains("\n| P | 0 | PROPRIETARY\\_MODULE |"),
        "{output:?}"
    );
    let one = taintwatch_alone(&["explain", "--markdown", "--vendor", "linux", "W"]);
    assert!(
        text(&one.stdout).starts_with("## W (WARN), bit 9 of linux\n"),
        "{one:?}"
    );
}

fn taintwatch_alone(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_taintwatch"))
        .args(args)
        .output()
        .unwrap()
}
