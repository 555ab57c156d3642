//! A report of a part of the history says the same as one of the whole history.
//!
//! In: histories of random events, in the order in which a daemon records them. Out: the reports, equal.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where it fails"
)]

use std::collections::HashMap;

use proptest::prelude::*;
use taintwatch::{
    event::{
        Cause, Class, Confidence, Coverage, CoverageState, Event, Kind, Lost, Mask, Module, Source,
        Taint, Task, Time,
    },
    history::{History, Liveness, count},
    output::{layout::Layout, limits::Limits, report, scope::Scope},
    store::{Filter, Store, TimeArg},
};

/// What happens next in a boot.
#[derive(Clone, Debug)]
enum Next {
    Repeat {
        bit: u32,
        module: u8,
        place: u8,
        count: u64,
    },
    First {
        bit: u32,
        module: u8,
    },
    Load {
        module: u8,
        kind: Kind,
    },
    Write {
        bits: Vec<u32>,
    },
    Lost,
    Logged {
        bit: u32,
    },
    ClockSet {
        seconds: i64,
    },
    Restart {
        clean: bool,
    },
    Boot,
}

fn next() -> impl Strategy<Value = Next> {
    let bit = || prop::sample::select(vec![0_u32, 9, 12, 13]);
    let load = prop::sample::select(vec![
        Kind::ModuleLoad,
        Kind::ModuleUnload,
        Kind::ModuleLoadFailed,
    ]);
    prop_oneof![
        12 => (bit(), 0_u8..3, 0_u8..3, 1_u64..4)
            .prop_map(|(bit, module, place, count)| Next::Repeat { bit, module, place, count }),
        2 => (bit(), 0_u8..3).prop_map(|(bit, module)| Next::First { bit, module }),
        3 => (0_u8..3, load).prop_map(|(module, kind)| Next::Load { module, kind }),
        1 => prop::collection::vec(0_u32..14, 1..3).prop_map(|bits| Next::Write { bits }),
        1 => Just(Next::Lost),
        1 => bit().prop_map(|bit| Next::Logged { bit }),
        1 => (-100_i64..100).prop_map(|seconds| Next::ClockSet { seconds }),
        1 => any::<bool>().prop_map(|clean| Next::Restart { clean }),
        1 => Just(Next::Boot),
    ]
}

/// A machine that runs.
struct Machine {
    boot: u32,
    boottime_ns: u64,
    /// When it was booted, by the wall clock as it is set now.
    booted: i64,
    mask: Mask,
    events: Vec<Event>,
}

impl Machine {
    fn event(&mut self, kind: Kind) -> Event {
        self.boottime_ns += 1_500_000_000;
        let at = jiff::Timestamp::from_nanosecond(
            i128::from(self.booted) * 1_000_000_000 + i128::from(self.boottime_ns),
        );
        let id = format!(
            "{:032x}-{:x}-{}",
            self.boot,
            self.boottime_ns,
            self.events.len()
        );
        let mut event = Event::blank(id, kind, Time(at.unwrap()));
        event.boot_id = Some(format!("boot-{}", self.boot));
        event.host = Some("host".to_owned());
        event.boottime_ns = Some(self.boottime_ns);
        event
    }

    fn coverage(&mut self, state: CoverageState) {
        let mut event = self.event(Kind::Coverage);
        event.coverage = Some(Coverage {
            state,
            reason: format!("{state:?}"),
            release: Some("6.1.0".to_owned()),
            mask: Some(self.mask),
            self_test: None,
            attached_since_ns: None,
            unwatched: None,
            hooks: Vec::new(),
        });
        self.events.push(event);
    }

    fn taint(&mut self, bit: u32, first: bool, count: u64) -> Event {
        let before = self.mask;
        self.mask = self.mask.with(bit);
        let mut event = self.event(Kind::Taint);
        event.taint = Some(Taint {
            bit: Some(bit),
            letter: Some(['P', 'W', 'O', 'E'][bit as usize % 4]),
            name: Some(format!("FLAG_{bit}")),
            first: Some(first),
            count: Some(count),
            mask_before: Some(before),
            mask_after: Some(self.mask),
            ..Taint::default()
        });
        event
    }

    fn push(&mut self, next: &Next) {
        match next {
            Next::Repeat {
                bit,
                module,
                place,
                count,
            } => {
                let mut event = self.taint(*bit, false, *count);
                act(&mut event, *module, *place, Class::ModuleCode);
                self.events.push(event);
            }
            Next::First { bit, module } => {
                let mut event = self.taint(*bit, true, 1);
                act(&mut event, *module, 0, Class::ModuleLoad);
                self.events.push(event);
            }
            Next::Load { module, kind } => {
                let mut event = self.event(*kind);
                act(&mut event, *module, 0, Class::ModuleLoad);
                event.cause = None;
                self.events.push(event);
            }
            Next::Write { bits } => {
                let mut event = self.event(Kind::MaskWrite);
                let after = bits.iter().fold(Mask(0), |mask, bit| mask.with(*bit));
                event.taint = Some(Taint {
                    mask_before: Some(self.mask),
                    mask_after: Some(after),
                    bits_set: Some(after.minus(self.mask).bits().collect()),
                    bits_cleared: Some(self.mask.minus(after).bits().collect()),
                    ..Taint::default()
                });
                self.mask = after;
                self.events.push(event);
            }
            Next::Lost => {
                let mut event = self.event(Kind::Lost);
                event.lost = Some(Lost {
                    count: 3,
                    reason: "full".to_owned(),
                    what: "detail".to_owned(),
                    since_ns: None,
                });
                self.events.push(event);
            }
            Next::Logged { bit } => {
                let mut event = self.taint(*bit, true, 1);
                event.boottime_ns = event.boottime_ns.map(|at| at / 2);
                event.cause = Some(cause(
                    Class::Unknown,
                    Confidence::Logged,
                    vec![Source::Log, Source::Baseline],
                ));
                self.events.push(event);
            }
            Next::ClockSet { seconds } => self.booted += seconds,
            Next::Restart { clean } => {
                if *clean {
                    self.coverage(CoverageState::Ended);
                }
                self.boottime_ns += 60_000_000_000;
                self.coverage(CoverageState::Began);
            }
            Next::Boot => {
                self.boot += 1;
                self.booted += 100_000;
                self.boottime_ns = 1_000_000_000;
                self.mask = Mask(0);
                self.coverage(CoverageState::Began);
            }
        }
    }
}

fn act(event: &mut Event, module: u8, place: u8, class: Class) {
    let name = format!("module_{module}");
    event.caller = Some(format!("f{place}+0x1 [{name}]"));
    event.task = Some(Task {
        pid: 100 + u32::from(module),
        comm: "insmod".to_owned(),
        ..Task::default()
    });
    event.module = Some(Module {
        name: Some(name),
        version: Some("1".to_owned()),
        ..Module::default()
    });
    event.cause = Some(cause(class, Confidence::Observed, vec![Source::TaintEntry]));
}

fn cause(class: Class, confidence: Confidence, sources: Vec<Source>) -> Cause {
    Cause {
        class,
        summary: format!("{class:?} (pid 100)"),
        confidence,
        sources,
    }
}

fn filter() -> impl Strategy<Value = Filter> {
    let at = |second: i64| TimeArg(jiff::Timestamp::from_second(1_700_000_000 + second).unwrap());
    (
        prop::collection::vec(prop::sample::select(vec!["P", "W", "12", "13"]), 0..2),
        prop::option::of(prop::sample::select(vec!["module_0", "module_[12]", "*"])),
        prop::collection::vec(prop::sample::select(Kind::ALL.to_vec()), 0..2),
        prop::option::of(0_i64..300),
        prop::option::of(0_i64..200_000),
    )
        .prop_map(move |(flags, module, kinds, since, until)| Filter {
            flags: flags
                .into_iter()
                .map(|flag| flag.parse().unwrap())
                .collect(),
            module: module.map(str::to_owned),
            kinds,
            since: since.map(at),
            until: until.map(at),
        })
}

/// The report of all boots of a history.
fn printed(history: &History<'_>, filter: &Filter) -> String {
    let boots: Vec<_> = history.boots.iter().collect();
    let events = boots.iter().flat_map(|boot| &boot.events);
    let passing = events.filter(|event| filter.passes(event));
    let scope = Scope {
        only: (!filter.is_open()).then(|| passing.map(|event| event.seq).collect()),
        boots,
        fleet: None,
        description: String::new(),
        made: Time::unknown(),
        limits: Limits::FULL,
    };
    let mut layout = Layout::new(120);
    report::print(&scope, &mut layout);
    let recorded = scope.boots.iter().map(|boot| boot.recorded.to_string());
    format!(
        "{}\n{}",
        layout.text(),
        recorded.collect::<Vec<_>>().join(" ")
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_part_of_the_history_says_what_the_whole_says(
        nexts in prop::collection::vec(next(), 1..60), filter in filter(),
    ) {
        let mut machine = Machine { boot: 0, boottime_ns: 0, booted: 1_700_000_000, mask: Mask(0), events: Vec::new() };
        machine.push(&Next::Boot);
        for next in &nexts {
            machine.push(next);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.db");
        let mut store = Store::create(&path).unwrap();
        for event in &mut machine.events {
            store.append(event).unwrap();
        }
        let store = Store::open(&path).unwrap();
        let liveness = Liveness { heartbeats: HashMap::new(), current: None, elsewhere: false };
        let whole = History::of(&machine.events, &liveness);
        let outline = store.outline().unwrap();
        let outline = History::of_excerpt(&outline, &liveness);
        let ids = |history: &History<'_>| -> Vec<_> {
            history.boots.iter().map(|boot| boot.id.map(str::to_owned)).collect()
        };
        prop_assert_eq!(ids(&outline), ids(&whole));
        let excerpt = store.of_report(&ids(&whole), &filter).unwrap();
        let part = History::of_excerpt(&excerpt, &liveness);
        let (part, whole_text) = (printed(&part, &filter), printed(&whole, &filter));
        for (part, whole) in part.lines().zip(whole_text.lines()) {
            prop_assert_eq!(part, whole);
        }
        prop_assert_eq!(part, whole_text);
        // What `status` and `why` say.
        for (boot, flags) in whole.boots.iter().flat_map(|boot| {
            let id = boot.id.unwrap();
            [store.flags_of(id), store.causes_of(id)].map(|flags| (boot, flags.unwrap()))
        }) {
            let part = History::of_excerpt(&flags, &liveness);
            prop_assert_eq!(&part.boots[0].coverage, &boot.coverage);
            prop_assert_eq!(part.boots[0].mask(), boot.mask());
            for flag in &boot.flags {
                let sets = |event: &&Event| event.sets(flag.bit);
                let counted = |event: &Event| count(event) + flags.omitted.occurrences(event);
                let sum: u64 = flags.events.iter().filter(sets).map(counted).sum();
                prop_assert_eq!(sum, flag.count);
                let first = flags.events.iter().find(sets).map(|event| event.seq);
                let all = boot.events.iter().copied().filter(sets).map(|event| event.seq).min();
                prop_assert_eq!(first, all);
            }
        }
    }
}
