//! What the history promises: order, amendments, damaged files, what it says.

mod codes;
mod layouts;
mod limits;

use super::*;
use crate::event::Kind;

fn event(id: &str) -> Event {
    serde_json::from_value(serde_json::json!({
        "schema": 1, "id": id, "seq": 0, "kind": "taint", "time": "2026-01-02T03:04:05.000000006Z",
        "boot_id": "b", "taint": {"bit": 9, "letter": "W"},
    }))
    .unwrap()
}

#[test]
fn gives_sequences_without_gaps_and_keeps_an_event_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/events.db");
    let mut store = Store::create(&path).unwrap();
    let mut sequences = Vec::new();
    for id in ["a", "b", "a", "c"] {
        let mut event = event(id);
        store.append(&mut event).unwrap();
        sequences.push(event.seq);
    }
    assert_eq!(sequences, [1, 2, 1, 3]);
    drop(store);
    let events = Store::open(&path)
        .unwrap()
        .events(&Filter::default(), None)
        .unwrap();
    assert_eq!(
        events
            .iter()
            .map(|event| event.id.as_str())
            .collect::<Vec<_>>(),
        ["a", "b", "c"]
    );
    assert_eq!(
        events[0].time,
        Time("2026-01-02T03:04:05.000000006Z".parse().unwrap())
    );
    assert_eq!(events[0].kind, Kind::Taint);
}

#[test]
fn an_amended_event_keeps_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::create(&folder.path().join("events.db")).unwrap();
    let mut events = ["a", "b"].map(event);
    for event in &mut events {
        store.append(event).unwrap();
    }
    let [mut first, second] = events;
    let module = crate::event::Module {
        name: Some("m".into()),
        ..Default::default()
    };
    first.module = Some(module);
    store.amend(&first).unwrap();
    assert_eq!(store.of_boot("b").unwrap(), [first.clone(), second]);
    let named = "SELECT seq FROM history WHERE module = 'm'";
    let seq: u64 = store.db.query_row(named, [], |row| row.get(0)).unwrap();
    assert_eq!(seq, 1);
    let module = Filter {
        module: Some("m".to_owned()),
        ..Filter::default()
    };
    assert_eq!(store.events(&module, None).unwrap(), [first]);
    let topics = "SELECT count(*), sum(events) FROM topic";
    let counted = store
        .db
        .query_row(topics, [], |row| Ok((row.get(0)?, row.get(1)?)));
    assert_eq!(counted, Ok((2, 2)));
}

#[test]
fn a_boot_without_an_end_is_found_whatever_came_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::create(&folder.path().join("events.db")).unwrap();
    let coverage = |id: &str, boot: &str, state: &str| -> Event {
        serde_json::from_value(serde_json::json!({
            "schema": 1, "id": id, "seq": 0, "kind": "coverage", "boot_id": boot,
            "coverage": {"state": state, "reason": ""},
        }))
        .unwrap()
    };
    for (id, boot, state) in [
        ("1", "a", "began"),
        ("2", "b", "began"),
        ("3", "a", "ended"),
    ] {
        store.append(&mut coverage(id, boot, state)).unwrap();
    }
    let open: Vec<_> = store
        .unended()
        .unwrap()
        .into_iter()
        .map(|event| event.id)
        .collect();
    assert_eq!(open, ["2"]);
}

#[test]
fn the_last_heartbeat_is_the_last_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::create(&folder.path().join("events.db")).unwrap();
    assert_eq!(store.last_heartbeat("b").unwrap(), None);
    let time = |second: u32| Time(format!("2026-01-02T03:04:{second:02}Z").parse().unwrap());
    for (boot, second) in [("b", 5), ("b", 6), ("other", 7)] {
        store.heartbeat(boot, time(second), second.into()).unwrap();
    }
    assert_eq!(store.last_heartbeat("b").unwrap(), Some((time(6), 6)));
    assert_eq!(store.last_of("b").unwrap(), Some((time(6), 6)));
}

/// `SELECT * FROM history`, as the README has it; `docs/events.md` names the columns.
#[test]
fn the_view_gives_people_with_sqlite3_what_the_event_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let mut store = Store::create(&path).unwrap();
    let mut whole: Event = serde_json::from_value(serde_json::json!({
        "schema": 1, "id": "whole", "seq": 0, "kind": "taint", "time": "2026-01-02T03:04:05.000000006Z",
        "boot_id": "b", "taint": {"bit": 9, "letter": "W"}, "module": {"name": "m"},
        "task": {"pid": 7, "tid": 8, "comm": "insmod"}, "caller": "f+0x1 [m]",
        "cause": {"class": "module_code", "summary": "it warned", "confidence": "observed", "sources": []},
    }))
    .unwrap();
    for event in [&mut whole, &mut event("short")] {
        store.append(event).unwrap();
    }
    let reader = Connection::open(&path).unwrap();
    let mut statement = reader.prepare("SELECT * FROM history").unwrap();
    let names = "seq time kind flag module comm pid caller confidence summary";
    assert_eq!(statement.column_names().join(" "), names);
    let cells = |row: &rusqlite::Row<'_>| -> rusqlite::Result<Vec<String>> {
        (0..10)
            .map(|column| {
                Ok(match row.get(column)? {
                    rusqlite::types::Value::Integer(number) => number.to_string(),
                    rusqlite::types::Value::Text(text) => text,
                    other => format!("{other:?}"),
                })
            })
            .collect()
    };
    let rows = statement.query_map([], cells).unwrap();
    let rows: Vec<_> = rows.map(|row| row.unwrap().join("|")).collect();
    let time = "2026-01-02T03:04:05.000000006Z";
    assert_eq!(
        rows,
        [
            format!("1|{time}|taint|W|m|insmod|7|f+0x1 [m]|observed|it warned"),
            format!("2|{time}|taint|W|Null|Null|Null|Null|Null|Null"),
        ]
    );
}

#[test]
fn says_which_history_cannot_be_read_and_why() {
    for (path, said) in [
        (
            "/nonexistent/events.db",
            "there is no history at /nonexistent/events.db: `taintwatch daemon`",
        ),
        ("/", "the history / is no file"),
        ("/dev/null/events.db", "cannot be read: Not a directory"),
        ("/dev/null", "the history /dev/null is no file"),
    ] {
        let Err(error) = Store::open(Path::new(path)) else {
            panic!("{path} was opened")
        };
        assert!(error.to_string().contains(said), "{error}");
    }
    let closed = Error::Unreadable {
        path: "x".to_owned(),
        error: std::io::ErrorKind::PermissionDenied.into(),
    };
    let advice = ": become root or a member of the group taintwatch";
    assert!(closed.to_string().ends_with(advice), "{closed}");
}

#[test]
fn a_file_that_is_no_history_is_reported_once_with_its_name_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let name = path.display().to_string();
    let other = "CREATE TABLE other (x)";
    for (bytes, reason) in [
        (
            Some("no database, and long enough to be one"),
            "file is not a database",
        ),
        (None, "no such table: event"),
    ] {
        _ = std::fs::remove_file(&path);
        match bytes {
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
            None => Connection::open(&path)
                .unwrap()
                .execute_batch(other)
                .unwrap(),
        }
        let read = Store::open(&path).and_then(|store| store.events(&Filter::default(), None));
        let printed = format!("{:#}", anyhow::Error::from(read.unwrap_err()));
        let begin =
            format!("{name} is no history of taintwatch, or is damaged ({reason}): `--db` names");
        assert!(printed.starts_with(&begin), "{printed}");
        assert_eq!(printed.matches(reason).count(), 1, "{printed}");
    }
    std::fs::write(&path, "no database, and long enough to be one").unwrap();
    let Err(Error::Broken { path, .. }) = Store::create(&path) else {
        panic!("it was made a history")
    };
    assert_eq!(path, name);
}

#[test]
fn the_layout_of_a_newer_program_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let store = Store::create(&path).unwrap();
    store.db.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(store);
    let bytes = std::fs::read(&path).unwrap();
    for opened in [Store::create(&path), Store::open(&path)] {
        let Err(error) = opened else {
            panic!("it was opened")
        };
        assert_eq!(error.remedy(), Remedy::Beside);
        assert!(error.to_string().contains("(layout 99;"), "{error}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_file_that_was_removed_or_overwritten_is_noticed_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let mut store = Store::create(&path).unwrap();
    store.append(&mut event("a")).unwrap();
    let other = folder.path().join("other");
    std::fs::rename(&path, &other).unwrap();
    let error = store.append(&mut event("b")).unwrap_err();
    assert!(
        error.lost().is_some() && error.remedy() == Remedy::Reopen,
        "{error}"
    );
    std::fs::rename(&other, &path).unwrap();
    store.append(&mut event("b")).unwrap();
    let length = std::fs::metadata(&path).unwrap().len();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &vec![7; usize::try_from(length).unwrap()], 0)
        .unwrap();
    let error = store.append(&mut event("c")).unwrap_err();
    assert_eq!(error.remedy(), Remedy::SetAside);
    let kept = set_aside(&path, Some(store)).unwrap();
    assert_eq!(
        std::fs::read(&kept).unwrap(),
        vec![7; usize::try_from(length).unwrap()]
    );
    assert!(!path.exists());
}

#[test]
fn rows_that_are_no_event_are_left_out_of_every_query_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let mut store = Store::create(&path).unwrap();
    let coverage = serde_json::json!({"state": "began", "reason": ""});
    for id in ["a", "b", "c", "d", "e"] {
        let mut event = event(id);
        event.kind = Kind::Coverage;
        event.coverage = serde_json::from_value(coverage.clone()).ok();
        store.append(&mut event).unwrap();
    }
    let newer = r#"{"schema": 2, "id": "x", "seq": 1, "kind": "taint"}"#;
    let [no_json, no_event, newer] = ["x", "{}", newer].map(codec::plain);
    for (seq, body) in [(2, no_json), (3, no_event), (4, newer), (5, vec![1, 255])] {
        let spoil = "UPDATE event SET body = ?2 WHERE seq = ?1";
        store
            .db
            .execute(spoil, rusqlite::params![seq, body])
            .unwrap();
    }
    let said = "4 events of the history could not be read and are left out; the first, event ";
    let reads: [&dyn Fn() -> Vec<Event>; 3] = [
        &|| store.of_boot("b").unwrap(),
        &|| store.after(0).unwrap(),
        &|| store.events(&Filter::default(), None).unwrap(),
    ];
    for read in reads {
        let ids: Vec<_> = read().into_iter().map(|event| event.id).collect();
        assert_eq!(ids, ["a"]);
        let unread = store.unread().unwrap();
        assert!(unread.starts_with(said), "{unread}");
        assert_eq!(store.unread(), None, "said twice");
    }
    assert_eq!(store.last_of("b").unwrap(), None);
    let no_json = "UPDATE topic SET head = 'x'";
    store.db.execute(no_json, []).unwrap();
    store.unended().unwrap();
    assert_eq!(store.boots().unwrap(), ["b"]);
    store
        .db
        .prepare("SELECT * FROM history")
        .unwrap()
        .query([])
        .unwrap()
        .next()
        .unwrap();
}

#[test]
fn a_history_that_is_just_made_has_no_events_and_is_a_history() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    std::fs::write(&path, b"").unwrap();
    let store = Store::open(&path).unwrap();
    assert!(store.events(&Filter::default(), None).unwrap().is_empty());
    assert!(store.outline().unwrap().events.is_empty());
    assert_eq!(store.last_seq().unwrap(), 0);
    let mut writer = Store::create(&path).unwrap();
    writer.append(&mut event("a")).unwrap();
    assert_eq!(store.after(0).unwrap().len(), 1, "what was recorded since");
}
