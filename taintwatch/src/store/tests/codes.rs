//! What is written is read back, whatever it is; and what the tables find is what the filter lets pass.

use proptest::prelude::*;

use super::*;
use crate::{
    event::{
        Ancestor, Cause, Class, Confidence, Context, Coverage, CoverageState, Lost, Mask, Module,
        Taint, Task,
    },
    store::{TimeArg, Wanted},
};

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{1,2}", "(pid 7)", any::<String>()]
}

fn taint() -> impl Strategy<Value = Taint> {
    let bits = prop::option::of(prop::collection::vec(0_u32..20, 0..3));
    (
        prop::option::of(0_u32..20),
        prop::option::of(prop::sample::select(vec!['P', 'W', 'O', 'x'])),
        prop::option::of(any::<bool>()),
        prop::option::of(prop_oneof![0_u64..5, any::<u64>()]),
        prop::option::of(any::<u64>()),
        (bits.clone(), bits),
    )
        .prop_map(
            |(bit, letter, first, count, mask, (bits_set, bits_cleared))| Taint {
                bit,
                letter,
                name: letter.map(|_| "WARN".to_owned()),
                vendor: None,
                first,
                count,
                mask_before: mask.map(Mask),
                mask_after: mask.map(Mask),
                bits_set,
                bits_cleared,
            },
        )
}

fn cause() -> impl Strategy<Value = Cause> {
    use crate::event::Source;
    let confidence = prop::sample::select(vec![
        Confidence::Observed,
        Confidence::Logged,
        Confidence::Listed,
    ]);
    let source = prop::sample::select(vec![Source::MaskWatch, Source::Baseline, Source::Crash]);
    (text(), confidence, prop::collection::vec(source, 0..2)).prop_map(
        |(summary, confidence, sources)| Cause {
            class: Class::ModuleCode,
            summary,
            confidence,
            sources,
        },
    )
}

fn task() -> impl Strategy<Value = Task> {
    (any::<u32>(), text(), prop::collection::vec(text(), 0..3)).prop_map(|(pid, comm, cmdline)| {
        Task {
            pid,
            tid: pid,
            ancestors: vec![Ancestor {
                pid: 1,
                comm: comm.clone(),
            }],
            comm,
            cmdline,
            ..Task::default()
        }
    })
}

/// Few different ones, so that they meet.
pub(super) fn any_event() -> impl Strategy<Value = Event> {
    let seconds = prop_oneof![4 => 1_700_000_000_i64..1_700_000_010, 1 => -100_000_000_000_i64..250_000_000_000];
    let place = (
        prop_oneof!["[a-f]", "[0-9a-f]{32}-[0-9]", any::<String>()],
        prop::sample::select(Kind::ALL.to_vec()),
        prop::option::of(prop::sample::select(vec!["b", "c", ""])),
        (seconds, 0_i32..1000),
        prop::option::of(any::<u64>()),
    );
    let parts = (
        prop::option::of(taint()),
        prop::option::of(cause()),
        prop::option::of(text()),
        prop::option::of(task()),
        prop::collection::vec(text(), 0..4),
    );
    (place, parts).prop_map(
        |(
            (id, kind, boot, (second, nanosecond), boottime),
            (taint, cause, module, task, lines),
        )| {
            let time = Time(
                jiff::Timestamp::new(second, if second < 0 { 0 } else { nanosecond }).unwrap(),
            );
            let mut event = Event::blank(id, kind, time);
            event.boot_id = boot.map(str::to_owned);
            event.boottime_ns = boottime;
            event.taint = taint;
            event.cause = cause;
            event.module = module.map(|name| Module {
                name: Some(name),
                ..Module::default()
            });
            event.context = task.as_ref().map(|_| Context::Task);
            event.task = task;
            event.stack.clone_from(&lines);
            event.coverage = (kind == Kind::Coverage).then(|| Coverage {
                state: CoverageState::Began,
                reason: lines.concat(),
                release: None,
                mask: Some(Mask(lines.len() as u64)),
                self_test: None,
                attached_since_ns: None,
                unwatched: None,
                hooks: Vec::new(),
            });
            event.lost = (kind == Kind::Lost).then(|| Lost {
                count: u64::MAX,
                reason: lines.concat(),
                what: String::new(),
                since_ns: None,
            });
            event.log = lines;
            event
        },
    )
}

fn any_filter() -> impl Strategy<Value = Filter> {
    let flag = prop::sample::select(vec!["P", "W", "9", "12", "WARN"]);
    let time = || prop::option::of(1_699_999_999_i64..1_700_000_011);
    let at = |second: Option<i64>| {
        second.map(|second| TimeArg(jiff::Timestamp::from_second(second).unwrap()))
    };
    (
        prop::collection::vec(flag, 0..2),
        prop::option::of(prop::sample::select(vec!["a*", "?", "[!a]", "*"])),
        prop::collection::vec(prop::sample::select(Kind::ALL.to_vec()), 0..3),
        time(),
        time(),
    )
        .prop_map(move |(flags, module, kinds, since, until)| Filter {
            flags: flags
                .into_iter()
                .map(|flag| flag.parse::<Wanted>().unwrap())
                .collect(),
            module: module.map(str::to_owned),
            kinds,
            since: at(since),
            until: at(until),
        })
}

/// A history of these events, and the events as they are in it.
fn history(events: &[Event]) -> (tempfile::TempDir, Store, Vec<Event>) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::create(&folder.path().join("events.db")).unwrap();
    let mut written = Vec::new();
    for event in events {
        let mut event = event.clone();
        if store.append(&mut event).unwrap() {
            written.push(event);
        }
    }
    (folder, store, written)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_event_is_read_back_as_it_was_written(events in prop::collection::vec(any_event(), 0..30)) {
        let (folder, store, written) = history(&events);
        prop_assert_eq!(store.after(0).unwrap(), written.clone());
        prop_assert_eq!(store.unread(), None);
        let reader = Store::open(&folder.path().join("events.db")).unwrap();
        prop_assert_eq!(reader.events(&Filter::default(), None).unwrap(), written);
    }

    #[test]
    fn the_tables_find_what_the_filter_lets_pass(
        events in prop::collection::vec(any_event(), 0..30), filter in any_filter(), last in 1_usize..5,
    ) {
        let (_folder, store, mut written) = history(&events);
        written.retain(|event| filter.passes(event));
        prop_assert_eq!(store.events(&filter, None).unwrap(), written.clone());
        let few = written.split_off(written.len().saturating_sub(last));
        prop_assert_eq!(store.events(&filter, Some(last)).unwrap(), few);
    }

    #[test]
    fn an_amended_event_is_the_amended_one(
        mut events in prop::collection::vec(any_event(), 2..20), amended in any_event(), filter in any_filter(),
    ) {
        events.dedup_by(|one, other| one.id == other.id);
        let (_folder, mut store, mut written) = history(&events);
        let Some(event) = written.first_mut() else { return Ok(()) };
        let (id, seq) = (event.id.clone(), event.seq);
        *event = Event { id, seq, boot_id: event.boot_id.clone(), ..amended };
        store.amend(event).unwrap();
        prop_assert_eq!(store.after(0).unwrap(), written.clone());
        written.retain(|event| filter.passes(event));
        prop_assert_eq!(store.events(&filter, None).unwrap(), written);
    }
}

/// A storm, and events that have little in common.
#[test]
fn what_many_events_have_is_stored_once() {
    let template = include_str!("../../../tests/fixtures/three-boots.jsonl")
        .lines()
        .nth(7)
        .unwrap();
    let template: Event = serde_json::from_str(template).unwrap();
    let of = |number: u64, module: u64| {
        let mut event = template.clone();
        event.id = format!(
            "1f0e7c523b644d0a9a415c1f2b7de001-{:x}-taint-9",
            number * 1_000_003
        );
        event.boottime_ns = Some(number * 1_000_003);
        event.time = Time(
            template.time.0 + jiff::SignedDuration::from_nanos((number * 1_000_003).cast_signed()),
        );
        let name = format!("module_{module:x}");
        event.caller = Some(format!("function_{module:x}+0x1c4 [{name}]"));
        event.stack[4] = event.caller.clone().unwrap();
        let module = event.module.as_mut().unwrap();
        module.sha256 = Some(hex::encode(name.repeat(4)));
        module.name = Some(name);
        event.task.as_mut().unwrap().pid = 1000 + u32::try_from(number).unwrap();
        event
    };
    for (what, different, most) in [
        ("a storm", 1, 200),
        ("ten of each", 300, 300),
        ("one of each", 3000, 500),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::create(&folder.path().join("events.db")).unwrap();
        let mut all: Vec<_> = (0..3000)
            .map(|number| Write::event(of(number, number % different)))
            .collect();
        store.write(all.iter_mut()).unwrap();
        let pages = store
            .db
            .query_row("PRAGMA page_count", [], |row| row.get::<_, u64>(0))
            .unwrap();
        let each = pages * 4096 / 3000;
        println!("{what}: {each} bytes an event");
        assert!(each < most, "{what}: {each}");
    }
}
