use std::{fs, os::unix::fs::FileExt as _};

use rusqlite::Connection;

use super::*;
use crate::store::Filter;

fn event(id: &str) -> Event {
    serde_json::from_value(serde_json::json!({
        "schema": 1, "id": id, "seq": 0, "kind": "taint", "boot_id": "b", "taint": {"bit": 9},
    }))
    .unwrap()
}

fn began() -> Event {
    serde_json::from_value(serde_json::json!({
        "schema": 1, "id": "began", "seq": 0, "kind": "coverage", "boot_id": "b",
        "coverage": {"state": "began", "reason": "every layer is in place"},
    }))
    .unwrap()
}

/// A storage that has recorded that the coverage began.
fn started(path: &Path) -> Storage {
    let mut storage = Storage::start(path).unwrap();
    assert_eq!(append(&mut storage, began()), Appended::Written);
    storage
}

/// As the recorder does it.
fn append(storage: &mut Storage, mut event: Event) -> Appended {
    let appended = storage.append(&mut event, false);
    if appended == Appended::Waits {
        storage.wait(event, false);
    }
    appended
}

/// The next try; what it writes.
fn retried(storage: &mut Storage) -> Vec<String> {
    storage.hurry();
    if !storage.reopen() {
        return Vec::new();
    }
    let written = storage.drain().into_iter();
    let kinds = written.map(|waiting| match waiting.write.event {
        event if event.coverage.is_some() => event.coverage.unwrap().reason,
        event => event.id,
    });
    kinds.collect()
}

fn connection(storage: &Storage) -> &Connection {
    storage.store.as_ref().unwrap().connection()
}

/// The ids in a history, whose numbers have no gap.
fn stored(path: &Path) -> Vec<String> {
    let events = Store::open(path)
        .unwrap()
        .events(&Filter::default(), None)
        .unwrap();
    for (number, event) in (1..).zip(&events) {
        assert_eq!(event.seq, number);
    }
    events.into_iter().map(|event| event.id).collect()
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("store/events.db")
    }
}

#[test]
fn what_a_full_disk_has_no_room_for_waits_and_is_written_in_order() {
    let place = Place::new();
    let mut storage = started(&place.path());
    let pages: i64 = connection(&storage)
        .query_row("PRAGMA page_count", [], |row| row.get(0))
        .unwrap();
    let limit = |storage: &Storage, pages: i64| {
        let set = format!("PRAGMA max_page_count = {pages}");
        connection(storage).query_row(&set, [], |_| Ok(())).unwrap();
    };
    limit(&storage, pages);
    let mut large = event("large");
    // Not to be made small.
    let noise = (1..30_000_u32).map(|number| format!("{:x}", number.wrapping_mul(0x9E37_79B9)));
    large.log = vec![noise.collect()];
    assert_eq!(append(&mut storage, large), Appended::Waits);
    assert_eq!(
        append(&mut storage, event("small")),
        Appended::Waits,
        "out of order"
    );
    let said = storage.trouble().unwrap();
    assert!(said.contains("full: make room"), "{said}");
    assert!(retried(&mut storage).is_empty() && storage.waiting() == 2);
    assert_eq!(storage.take_unsent().count(), 2);
    limit(&storage, 1 << 20);
    assert_eq!(retried(&mut storage), ["large", "small"]);
    assert_eq!((storage.trouble(), storage.waiting()), (None, 0));
    assert_eq!(append(&mut storage, event("after")), Appended::Written);
    assert_eq!(stored(&place.path()), ["began", "large", "small", "after"]);
}

#[test]
fn who_keeps_the_history_busy_delays_no_event_for_long() {
    let place = Place::new();
    let mut storage = started(&place.path());
    let other = Connection::open(place.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    for number in 0..20 {
        assert_eq!(
            append(&mut storage, event(&number.to_string())),
            Appended::Waits
        );
    }
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(retried(&mut storage).len(), 20);
}

#[test]
fn a_reader_in_a_transaction_delays_nothing() {
    let place = Place::new();
    let mut storage = started(&place.path());
    let reader = Connection::open(place.path()).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM event").unwrap();
    for number in 0..20 {
        assert_eq!(
            append(&mut storage, event(&number.to_string())),
            Appended::Written
        );
    }
}

#[test]
fn a_history_whose_folder_was_removed_is_begun_anew() {
    let place = Place::new();
    let mut storage = started(&place.path());
    fs::remove_dir_all(place.path().parent().unwrap()).unwrap();
    assert_eq!(append(&mut storage, event("a")), Appended::Waits);
    assert_eq!(
        retried(&mut storage),
        [
            "every layer is in place; this history was begun while monitoring went on: the one before was removed or \
             replaced",
            "a"
        ]
    );
    assert_eq!(stored(&place.path()).len(), 2);
}

#[test]
fn noise_at_run_time_is_set_aside() {
    let place = Place::new();
    let mut storage = started(&place.path());
    let noise = vec![7; 1 << 16];
    let file = fs::OpenOptions::new()
        .write(true)
        .open(place.path())
        .unwrap();
    file.write_all_at(&noise, 0).unwrap();
    assert_eq!(append(&mut storage, event("a")), Appended::Waits);
    assert!(
        storage.due().unwrap() <= Instant::now(),
        "it is tried at once"
    );
    assert_eq!(retried(&mut storage).last().unwrap(), "a");
    let names = fs::read_dir(place.path().parent().unwrap()).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().path()).collect();
    let kept = names.iter().filter(|name| fs::read(name).unwrap() == noise);
    assert_eq!(kept.count(), 1, "{names:?}");
}

#[test]
fn noise_before_the_start_is_set_aside_where_it_is_ours_and_nowhere_else() {
    let place = Place::new();
    drop(started(&place.path()));
    fs::write(place.path(), "noise, and long enough to be one").unwrap();
    let mut storage = Storage::start(&place.path()).unwrap();
    assert!(storage.trouble().is_some() && retried(&mut storage).is_empty());
    assert_eq!(append(&mut storage, event("a")), Appended::Written);
    assert_eq!(stored(&place.path()), ["a"]);
    drop(storage);
    let other = place.0.path().join("precious");
    fs::write(&other, "a file of another program").unwrap();
    assert!(Storage::start(&other).is_err());
    assert_eq!(fs::read(&other).unwrap(), b"a file of another program");
}

#[test]
fn beside_the_history_of_a_newer_program_there_is_another_one() {
    let place = Place::new();
    let storage = started(&place.path());
    connection(&storage)
        .execute_batch("PRAGMA user_version = 99")
        .unwrap();
    drop(storage);
    for id in ["a", "b"] {
        let mut storage = Storage::start(&place.path()).unwrap();
        assert!(retried(&mut storage).is_empty());
        assert_eq!(append(&mut storage, event(id)), Appended::Written);
    }
    assert_eq!(stored(&own_name(&place.path())), ["a", "b"]);
}

#[test]
fn an_event_that_cannot_be_written_keeps_no_other_from_it() {
    let place = Place::new();
    let mut storage = started(&place.path());
    let trigger = "CREATE TRIGGER small BEFORE INSERT ON event WHEN new.name = 'large'
        BEGIN SELECT raise(abort, 'it is too large'); END";
    connection(&storage).execute_batch(trigger).unwrap();
    let large = || {
        let mut large = event("large");
        large.log = vec!["x".repeat(20_000)];
        large
    };
    assert_eq!(append(&mut storage, large()), Appended::Refused);
    storage.wait(event("a"), false);
    storage.wait(large(), false);
    storage.wait(event("b"), false);
    assert_eq!(retried(&mut storage), ["a", "b"]);
    assert_eq!(stored(&place.path()), ["began", "a", "b"]);
}

#[test]
fn what_was_to_be_amended_in_a_lost_history_is_an_event_of_the_new_one() {
    let place = Place::new();
    let mut storage = started(&place.path());
    let mut a = event("a");
    assert_eq!(storage.append(&mut a, false), Appended::Written);
    fs::remove_file(place.path()).unwrap();
    storage.amend(&a);
    assert_eq!(retried(&mut storage).len(), 2);
    assert_eq!(stored(&place.path()).last().unwrap(), "a");
}

#[test]
fn a_start_goes_on_without_a_place_for_the_history() {
    let mut storage = Storage::start(Path::new("/proc/none/events.db")).unwrap();
    assert_eq!(append(&mut storage, began()), Appended::Waits);
    let said = storage.trouble().unwrap();
    assert!(said.starts_with("make the folder /proc/none"), "{said}");
    let pause = |storage: &Storage| storage.due().unwrap() - Instant::now();
    assert!(pause(&storage) > Duration::ZERO && storage.has_room());
    for _ in 0..10 {
        retried(&mut storage);
    }
    assert!(pause(&storage) <= LONGEST_PAUSE);
}

#[test]
fn two_recorders_do_not_write_to_one_history() {
    let place = Place::new();
    let storage = started(&place.path());
    assert!(matches!(
        Storage::start(&place.path()),
        Err(Error::Taken(_))
    ));
    drop(storage);
    assert!(Storage::start(&place.path()).is_ok());
}
