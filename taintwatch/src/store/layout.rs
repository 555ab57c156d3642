//! The layouts of the history's tables, each made from the one before.
//!
//! In: a file of any layout up to the newest. Out: the same events in the newest.

use rusqlite_migration::{M, Migrations};

use super::migrate;

const LAYOUT_1: &str = "
CREATE TABLE event (
    seq      INTEGER PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    boot_id  TEXT,
    kind     TEXT NOT NULL,
    time_ns  INTEGER NOT NULL,
    bit      INTEGER,
    module   TEXT,
    body     TEXT NOT NULL
) STRICT;
CREATE INDEX event_kind ON event (boot_id, kind, bit);
CREATE VIEW history AS SELECT seq FROM event;
";

/// The daemon's last heartbeat in each boot: when monitoring ended that has no event of its end.
const LAYOUT_2: &str = "
CREATE TABLE alive (
    boot_id      TEXT PRIMARY KEY,
    time_ns      INTEGER NOT NULL,
    boottime_ns  INTEGER NOT NULL
) STRICT;
";

/// The table is named after what it holds.
const LAYOUT_3: &str = "ALTER TABLE alive RENAME TO heartbeat;";

/// What many events have is stored once. An event is its numbers and `body`: its text, made small by what it has in
/// common with `base` and with the `head` of its topic (see `codec`). What no program can read has no topic.
///
/// Numbers of topics, bases and boots are never used again: a reader may remember what they stand for.
const LAYOUT_4: &str = "
DROP VIEW history;
DROP INDEX event_kind;
ALTER TABLE event RENAME TO event_3;
CREATE TABLE boot (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    boot_id  TEXT,
    host     TEXT,
    -- Every flag that a mask of its events shows.
    mask     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX boot_name ON boot (coalesce(boot_id, ''), coalesce(host, ''));
CREATE TABLE topic (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    boot         INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    bit          INTEGER,
    is_landmark  INTEGER NOT NULL,
    is_import    INTEGER NOT NULL,
    hash         INTEGER NOT NULL,
    head         TEXT NOT NULL,
    -- All that were ever recorded, also those that were removed since.
    events       INTEGER NOT NULL DEFAULT 0,
    occurrences  INTEGER NOT NULL DEFAULT 0,
    removed      INTEGER NOT NULL DEFAULT 0,
    first        INTEGER NOT NULL,
    last         INTEGER NOT NULL,
    -- What its next event is probably like.
    base         INTEGER
) STRICT;
CREATE INDEX topic_hash ON topic (hash);
CREATE INDEX topic_boot ON topic (boot);
-- The beginning that the names of many events have.
CREATE TABLE origin (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    name  TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE base (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    boot  INTEGER NOT NULL,
    body  BLOB NOT NULL
) STRICT;
CREATE INDEX base_boot ON base (boot);
CREATE TABLE event (
    seq          INTEGER PRIMARY KEY,
    origin       INTEGER NOT NULL,
    name         TEXT NOT NULL,
    topic        INTEGER,
    base         INTEGER,
    time_ns      INTEGER NOT NULL,
    boottime_ns  INTEGER,
    pid          INTEGER,
    body         BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX event_name ON event (name, origin);
CREATE INDEX event_topic ON event (topic, time_ns);
-- The wall clock was set between two events of a boot.
CREATE TABLE clock_change (
    boot               INTEGER NOT NULL,
    before_ns          INTEGER NOT NULL,
    before_boottime_ns INTEGER NOT NULL,
    after_ns           INTEGER NOT NULL,
    after_boottime_ns  INTEGER NOT NULL
) STRICT;
CREATE INDEX clock_change_boot ON clock_change (boot);
-- What the limits of the configuration removed: one row, where anything was.
CREATE TABLE removal (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    events     INTEGER NOT NULL,
    until_seq  INTEGER NOT NULL,
    until_ns   INTEGER NOT NULL,
    at_ns      INTEGER NOT NULL
) STRICT;
CREATE VIEW history AS
SELECT event.seq AS seq,
       CASE WHEN time_ns <> 0 THEN
           strftime('%Y-%m-%dT%H:%M:%S', (time_ns - (time_ns % 1000000000 + 1000000000) % 1000000000) / 1000000000,
               'unixepoch') || printf('.%09dZ', (time_ns % 1000000000 + 1000000000) % 1000000000)
       END AS time,
       kind,
       head ->> '$.l' AS flag,
       head ->> '$.m' AS module,
       head ->> '$.t' AS comm,
       pid,
       head ->> '$.a' AS caller,
       head ->> '$.f' AS confidence,
       replace(replace(head ->> '$.e', '(pid ' || char(1) || ')', '(pid ' || coalesce(pid, '') || ')'),
           char(2), coalesce(head ->> '$.a', '')) AS summary
FROM event LEFT JOIN (
    SELECT id, kind, CASE WHEN json_valid(head) THEN head END AS head FROM topic
) AS topic ON topic.id = event.topic
ORDER BY event.seq;
";

/// The newest layout of the tables that this program knows.
pub(super) const LAYOUT: i64 = 4;

pub(super) fn migrations() -> Migrations<'static> {
    Migrations::new(vec![
        M::up(LAYOUT_1),
        M::up(LAYOUT_2),
        M::up(LAYOUT_3),
        M::up_with_hook(LAYOUT_4, migrate::in_place),
    ])
}
