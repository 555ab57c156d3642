//! Files that earlier versions made.

use super::*;
use crate::event::Module;

/// As layout 3 was released, with its rows.
const LAYOUT_3: &str = r#"
CREATE TABLE event (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, boot_id TEXT, kind TEXT NOT NULL,
    time_ns INTEGER NOT NULL, bit INTEGER, module TEXT, body TEXT NOT NULL) STRICT;
CREATE INDEX event_kind ON event (boot_id, kind, bit);
CREATE VIEW history AS SELECT seq, body ->> '$.time' AS time, kind, body ->> '$.taint.letter' AS flag, module,
    body ->> '$.task.comm' AS comm, body ->> '$.task.pid' AS pid, body ->> '$.caller' AS caller,
    body ->> '$.cause.confidence' AS confidence, body ->> '$.cause.summary' AS summary FROM event ORDER BY seq;
CREATE TABLE heartbeat (boot_id TEXT PRIMARY KEY, time_ns INTEGER NOT NULL, boottime_ns INTEGER NOT NULL) STRICT;
INSERT INTO heartbeat VALUES ('b', 7, 8);
INSERT INTO event VALUES (1, 'a', 'b', 'taint', 1767323045000000006, 9, 'm',
    '{"schema":1,"id":"a","seq":1,"kind":"taint","boot_id":"b","time":"2026-01-02T03:04:05.000000006Z","taint":{"bit":9,"letter":"W"},"module":{"name":"m"},"task":{"pid":7,"tid":7,"comm":"sh"},"cause":{"class":"sysctl_write","summary":"a write by sh (pid 7)","confidence":"observed","sources":[]}}');
INSERT INTO event VALUES (2, 'newer', 'b', 'taint', 5, 9, NULL, '{"schema":2,"id":"newer","seq":2,"kind":"taint"}');
INSERT INTO event VALUES (5, 'c', NULL, 'lost', 0, NULL, NULL,
    '{"schema":1,"id":"c","seq":5,"kind":"lost","lost":{"count":3,"reason":"full","what":"detail"}}');
PRAGMA user_version = 3;
"#;

fn old(layout: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch(layout)
        .unwrap();
    (folder, path)
}

/// What `Store` says of it.
fn said(store: &Store) -> (Vec<(u64, String)>, Option<String>) {
    let events = store.after(0).unwrap();
    let events = events.into_iter().map(|event| (event.seq, event.id));
    (events.collect(), store.unread())
}

#[test]
fn an_old_history_can_be_read_before_and_after_it_is_migrated() {
    let (_folder, path) = old(LAYOUT_3);
    let reader = Store::open(&path).unwrap();
    let before = said(&reader);
    assert_eq!(before.0, [(1, "a".to_owned()), (5, "c".to_owned())]);
    assert!(
        before.1.as_ref().unwrap().contains("1 event of"),
        "{before:?}"
    );
    assert!(
        before.1.as_ref().unwrap().contains("schema 2"),
        "{before:?}"
    );
    let mut writer = Store::create(&path).unwrap();
    for store in [&reader, &writer, &Store::open(&path).unwrap()] {
        assert_eq!(said(store), before);
        assert_eq!(store.last_heartbeat("b").unwrap().unwrap().1, 8);
        let event = &store.of_boot("b").unwrap()[0];
        assert_eq!(
            event
                .module
                .as_ref()
                .and_then(|module| module.name.as_deref()),
            Some("m")
        );
        assert!(store.unread().unwrap().contains("schema 2"));
    }
    let mut next = event("d");
    writer.append(&mut next).unwrap();
    assert_eq!(next.seq, 6);
    let mut again = event("a");
    assert!(!writer.append(&mut again).unwrap());
    assert_eq!(again.seq, 1);
    next.module = Some(Module::default());
    writer.amend(&next).unwrap();
    let view = "SELECT group_concat(concat_ws(',', seq, time, kind, flag, module, comm, pid, confidence, summary), ';') FROM history";
    let view: String = writer.db.query_row(view, [], |row| row.get(0)).unwrap();
    assert_eq!(
        view,
        "1,2026-01-02T03:04:05.000000006Z,taint,W,m,sh,7,observed,a write by sh (pid 7);\
         2,1970-01-01T00:00:00.000000005Z;5,lost;6,2026-01-02T03:04:05.000000006Z,taint,W"
    );
    let tables = "SELECT group_concat(name, ' ') FROM sqlite_master WHERE name LIKE 'event%'";
    let tables: String = writer.db.query_row(tables, [], |row| row.get(0)).unwrap();
    assert_eq!(tables, "event event_name event_topic");
}

/// A migration that is cut off leaves the file as it was.
#[test]
fn a_migration_that_fails_changes_nothing() {
    let (_folder, path) = old(LAYOUT_3);
    let other = Connection::open(&path).unwrap();
    // Its table cannot be made.
    other
        .execute_batch("CREATE TABLE clock_change (x)")
        .unwrap();
    assert!(Store::create(&path).is_err());
    other.execute_batch("DROP TABLE clock_change").unwrap();
    let layout = other.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
    assert_eq!(layout, Ok(3));
    drop(other);
    assert_eq!(said(&Store::create(&path).unwrap()).0.len(), 2);
}

#[test]
fn the_layouts_before_had_other_heartbeats() {
    let [first, second] = [
        ("DROP TABLE heartbeat; PRAGMA user_version = 1;", None),
        (
            "ALTER TABLE heartbeat RENAME TO alive; PRAGMA user_version = 2;",
            Some(8),
        ),
    ];
    for (change, expected) in [first, second] {
        let (_folder, path) = old(LAYOUT_3);
        Connection::open(&path)
            .unwrap()
            .execute_batch(change)
            .unwrap();
        for _ in 0..2 {
            let beat = Store::open(&path).unwrap().last_heartbeat("b").unwrap();
            assert_eq!(beat.map(|(_, at)| at), expected);
            drop(Store::create(&path).unwrap());
        }
    }
}

#[test]
fn many_events_of_an_old_layout_are_all_there_after_it() {
    let (_folder, path) = old(LAYOUT_3);
    let more = "WITH RECURSIVE n (n) AS (SELECT 6 UNION ALL SELECT n + 1 FROM n WHERE n < 3000)
        INSERT INTO event SELECT n, 'x' || n, boot_id, kind, time_ns, bit, module,
        replace(replace(body, '\"id\":\"a\"', '\"id\":\"x' || n || '\"'), '\"seq\":1', '\"seq\":' || n) FROM n JOIN event ON seq = 1";
    let db = Connection::open(&path).unwrap();
    db.execute_batch(more).unwrap();
    drop(db);
    let before = std::fs::metadata(&path).unwrap().len();
    let expected = said(&Store::open(&path).unwrap());
    drop(Store::create(&path).unwrap());
    assert_eq!(said(&Store::open(&path).unwrap()), expected);
    assert_eq!(expected.0.len(), 2997);
    let after = std::fs::metadata(&path).unwrap().len();
    assert!(after * 2 < before, "{before} bytes became {after}");
}
