//! The command line as people meet it: what the binary says of what is asked, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::{
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
    let told = taintwatch(&db, &["why", "TAINT_UNSIGNED_MODULE"]);
    assert!(
        text(&told.stdout).contains("set once in this boot"),
        "{told:?}"
    );
    assert_eq!(told.stdout, taintwatch(&db, &["why", "my_mod*"]).stdout);
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
