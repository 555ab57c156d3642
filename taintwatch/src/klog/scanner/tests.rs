//! The scanner against reports of kernels: whole, mixed, cut, hostile.

use proptest::prelude::*;

use super::{super::*, *};
use crate::event::{Confidence, Event, Mask};

/// Lines with a time and, where it is given, a caller: `1.5 C0 text`.
fn findings(log: &[(u64, Option<&str>, &str)]) -> Vec<Finding> {
    let mut scanner = Scanner::new();
    let mut found = Vec::new();
    for (number, (ms, caller, text)) in (1..).zip(log) {
        found.extend(scanner.push(&Line {
            text,
            number,
            since_boot: Some(ms * 1_000_000),
            caller: *caller,
            ..Line::default()
        }));
    }
    found.extend(scanner.finish());
    found
}

fn events(log: &[(u64, Option<&str>, &str)]) -> Vec<Event> {
    Reconstruction::events(Origin::default(), findings(log))
}

fn short(events: &[Event]) -> Vec<String> {
    let word = |event: &Event| {
        let taint = event.taint.as_ref().unwrap();
        let cause = event.cause.as_ref().unwrap();
        let letter = taint
            .letter
            .map_or_else(|| format!("[{}]", taint.bit.unwrap()), String::from);
        let module = event.module_name().map(str::to_owned);
        format!(
            "{letter} {} {} {}",
            cause.confidence.as_str(),
            module.unwrap_or_default(),
            event.log.len()
        )
    };
    events.iter().map(word).collect()
}

const CUT: &str = "------------[ cut here ]------------";
const END: &str = "---[ end trace 0000000000000000 ]---";

#[test]
fn a_report_is_whole_and_tells_what_was_before_it() {
    let log = [
        (10, None, "Linux version 6.1.0-50-amd64 (x@y) #1"),
        (900, None, "foo: loading out-of-tree module taints kernel."),
        (1000, None, CUT),
        (
            1000,
            None,
            "WARNING: CPU: 1 PID: 77 at x.c:1 f+0x1/0x2 [foo]",
        ),
        (
            1000,
            None,
            "Modules linked in: foo(OE+) bar(POE) ext4 [last unloaded: baz(E)]",
        ),
        (
            1000,
            None,
            "CPU: 1 PID: 77 Comm: insmod Tainted: P        W  OE      6.1.0-50-amd64 #1",
        ),
        (1000, None, "Call Trace:"),
        (1001, None, END),
        (1002, None, "usb 1-1: new device"),
    ];
    let events = events(&log);
    assert_eq!(
        short(&events),
        [
            "E listed baz 1",
            "W unattributed  1",
            "O logged foo 1",
            "E listed foo 1",
            "P listed bar 1",
            "O listed bar 1",
            "E listed bar 1",
            "W logged foo 5"
        ]
    );
    let last = events.last().unwrap();
    assert_eq!(last.task.as_ref().unwrap().comm, "insmod");
    assert_eq!(
        (last.cpu, last.caller.as_deref()),
        (Some(1), Some("f+0x1/0x2 [foo]"))
    );
    assert_eq!(last.taint.as_ref().unwrap().mask_before, Some(Mask(0x3201)));
    assert_eq!(last.boottime_ns, Some(1_000_000_000));
}

#[test]
fn what_stands_between_the_cut_mark_and_a_warning_is_its_text() {
    let log = [
        (1, None, CUT),
        (1, None, "refcount_t: underflow; use-after-free."),
        (1, None, "WARNING: CPU: 1 PID: 1 at x.c:1 f+0x1/0x2"),
        (1, None, END),
    ];
    assert_eq!(findings(&log)[0].lines, [log[2].2, log[1].2, END]);
    let other = [
        (1, Some("T1"), CUT),
        (1, Some("C3"), log[1].2),
        (1, Some("T1"), log[2].2),
    ];
    assert_eq!(findings(&other)[0].lines, [log[2].2]);
}

/// A logger's limit falls into a name: `libzfs(PO)` must not become the module `zfs`.
#[test]
fn the_halves_of_a_broken_name_name_no_module() {
    let list = format!("Modules linked in: {}lib", "usb_storage ".repeat(30));
    let mut scanner = Scanner::new();
    let mut found = Vec::new();
    for (continues, text) in [
        (false, "WARNING: CPU: 1 PID: 1 at x.c:1 f+0x1/0x2"),
        (false, &list),
        (true, "zfs(PO) spl(O)"),
    ] {
        found.extend(scanner.push(&Line {
            continues,
            ..Line::of(text)
        }));
    }
    found.extend(scanner.finish());
    let modules = &found[0].facts.modules;
    let names: Vec<_> = modules.iter().map(|module| module.name.as_str()).collect();
    assert_eq!(names, ["spl"]);
}

#[test]
fn two_cpus_are_not_mixed_where_the_log_names_the_writer() {
    let (a, b) = (Some("T1"), Some("C3"));
    let log = [
        (1, a, CUT),
        (1, a, "WARNING: CPU: 1 PID: 1 at x.c:1 f+0x1/0x2"),
        (1, b, CUT),
        (1, b, "WARNING: CPU: 3 PID: 9 at y.c:1 g+0x1/0x2"),
        (1, a, "RIP: 0010:f+0x1/0x2"),
        (1, b, "RIP: 0010:g+0x1/0x2"),
        (1, b, END),
        (1, a, "RAX: 1"),
        (1, a, END),
    ];
    let found = findings(&log);
    assert_eq!(found[0].lines, [log[3].2, log[5].2, END]);
    assert_eq!(found[1].lines, [log[1].2, log[4].2, "RAX: 1", END]);
}

#[test]
fn without_writers_a_line_goes_where_its_cpu_says_or_nowhere() {
    let log = [
        (1, None, "WARNING: CPU: 1 PID: 1 at x.c:1 f+0x1/0x2"),
        (1, None, CUT),
        (1, None, "WARNING: CPU: 3 PID: 9 at y.c:1 g+0x1/0x2"),
        (1, None, "Modules linked in: a(O)"),
        (1, None, "CPU: 3 PID: 9 Comm: b Not tainted 6.1.0 #1"),
        (1, None, "CPU: 1 PID: 1 Comm: a Not tainted 6.1.0 #1"),
        (1, None, END),
        (1, None, END),
    ];
    let found = findings(&log);
    assert_eq!(found[0].lines, [log[0].2, log[5].2]);
    assert_eq!(found[0].facts.comm.as_deref(), Some("a"));
    assert_eq!(found[1].lines[..2], [log[2].2, log[4].2]);
}

#[test]
fn idle_tasks_of_one_name_are_not_one_task() {
    let of = |task: &str| {
        let text = format!("BUG: scheduling while atomic: {task}/0/0x00000102");
        let log = [
            (1, None, &*text),
            (1, None, &*text),
            (1, None, "Call Trace:"),
            (1, None, END),
        ];
        let found = findings(&log);
        found
            .iter()
            .map(|finding| finding.lines.len())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("swapper/1"), [1, 3], "the first is behind");
    assert_eq!(of("swapper"), [1, 1], "the owner of the trace is not known");
}

#[test]
fn an_oops_is_one_report_to_its_panic() {
    let log = [
        (
            1,
            None,
            "BUG: kernel NULL pointer dereference, address: 0000000000000000",
        ),
        (1, None, "#PF: supervisor write access in kernel mode"),
        (1, None, "Oops: 0002 [#1] PREEMPT SMP"),
        (1, None, "CPU: 0 PID: 5 Comm: sh Not tainted 6.1.0 #1"),
        (1, None, "RIP: 0010:boom+0x1/0x2 [tw_oops]"),
        (1, None, END),
        (1, None, "RIP: 0010:boom+0x1/0x2 [tw_oops]"),
        (1, None, "Kernel panic - not syncing: Fatal exception"),
        (
            1,
            None,
            "---[ end Kernel panic - not syncing: Fatal exception ]---",
        ),
    ];
    let found = events(&log);
    assert_eq!(short(&found), ["D logged tw_oops 9"]);
    let summary = &found[0].cause.as_ref().unwrap().summary;
    assert!(
        summary.ends_with("while sh (pid 5) was running; then it panicked: Fatal exception"),
        "{summary}"
    );
}

/// Nothing taints a kernel before its first line: what stands there is of another boot.
#[test]
fn a_flag_in_front_of_the_first_line_is_of_the_boot_before() {
    let banner = (0, None, "Linux version 6.1.0-50-amd64 (x@y) #1");
    let boots = |text| -> Vec<u64> {
        let findings = findings(&[(0, None, text), banner]).into_iter();
        findings.map(|finding| finding.boot.ordinal).collect()
    };
    assert_eq!(
        boots("foo: loading out-of-tree module taints kernel."),
        [0, 1]
    );
    assert_eq!(boots("microcode: updated early: 0x1 -> 0x2"), [0]);
}

#[test]
fn a_state_of_another_kernel_is_of_another_boot() {
    let state = |release: &str| format!("CPU: 1 PID: 7 Comm: x Not tainted {release} #1");
    let taint = "foo: loading out-of-tree module taints kernel.";
    let boots = |first: &str, second: &str| -> Vec<u64> {
        let (first, second) = (state(first), state(second));
        let log = [
            (10, None, first.as_str()),
            (20, None, taint),
            (30, None, second.as_str()),
        ];
        let findings = findings(&log).into_iter();
        findings.map(|finding| finding.boot.ordinal).collect()
    };
    assert_eq!(boots("4.6.2-1-rt5", "5.18.0-rc2"), [0, 0, 1, 1]);
    assert_eq!(boots("4.6.2-1-rt5", "4.6.2-1-r"), [0, 0, 0]);
    assert_eq!(boots("4.6.2-1-rt5", "0-50-amd64"), [0, 0, 0]);
}

#[test]
fn boots_are_told_apart_and_lockdep_is_no_taint() {
    let log = [
        (
            5000,
            None,
            "WARNING: possible circular locking dependency detected",
        ),
        (9000, None, "a: loading out-of-tree module taints kernel."),
        (1, None, "the clock started again"),
        (9000, None, "a: loading out-of-tree module taints kernel."),
        (
            9001,
            None,
            "CPU: 0 PID: 1 Comm: x Tainted: G        W  O       6.1.0 #1",
        ),
    ];
    let found = findings(&log);
    let boots: Vec<_> = found.iter().map(|finding| finding.boot.ordinal).collect();
    assert_eq!(boots, [0, 1, 1, 1]);
    assert_eq!(found[1].what, What::Boot);
    let back = findings(&[log[3], (1, None, log[4].2)]);
    assert_eq!((&back[1].what, back[1].facts.mask), (&What::Boot, None));
    assert_eq!(back[2].facts.mask, Some(Mask(0x1200)));
    let events = events(&log);
    assert_eq!(
        short(&events),
        ["O logged a 1", "W unattributed  1", "O logged a 1"]
    );
    assert_eq!(
        events[1].cause.as_ref().unwrap().confidence,
        Confidence::Unattributed
    );
}

#[test]
fn the_text_decides_which_flag_a_warning_sets() {
    let log = [
        (1, None, CUT),
        (
            1,
            None,
            "WARNING: CPU: 0 PID: 0 at drivers/iommu/dmar.c:849 f+0x1/0x2",
        ),
        (
            1,
            None,
            "Your BIOS is broken; DMAR reported at address fed90000 returns all ones!",
        ),
        (1, None, "Modules linked in:"),
        (1, None, END),
        (
            2,
            None,
            "CFI failure at g+0x1/0x2 (target: h+0x0/0x1; expected type: 0x1)",
        ),
        (2, None, "WARNING: CPU: 0 PID: 3 at g+0x1/0x2"),
        (2, None, END),
    ];
    let events = events(&log);
    assert_eq!(short(&events), ["I logged  4", "P logged  2"]);
    assert!(
        events[1]
            .cause
            .as_ref()
            .unwrap()
            .summary
            .contains("no module is proprietary")
    );
}

fn any_line() -> impl Strategy<Value = (u64, Option<String>, String)> {
    let marks: Vec<&'static str> = crate::taint::log::marks()
        .chain([
            CUT,
            END,
            "Modules linked in: a(OE)",
            "Kernel panic - not syncing: x",
            "Linux version 1",
            "CPU: 1 PID: 2 Comm: ",
        ])
        .collect();
    let text =
        (prop::sample::select(marks), ".{0,40}").prop_map(|(mark, rest)| format!("{mark}{rest}"));
    (0..9000_u64, prop::option::of("[TC][0-3]"), text)
}

proptest! {
    #[test]
    fn any_log_gives_the_same_events_twice_and_no_id_for_two(log in prop::collection::vec(any_line(), 0..80)) {
        let log: Vec<_> = log.iter().map(|(ms, caller, text)| (*ms, caller.as_deref(), text.as_str())).collect();
        let events = events(&log);
        prop_assert_eq!(&events, &self::events(&log));
        for event in &events {
            let taint = event.taint.as_ref().unwrap();
            // A letter that kernels mean differently is of no bit, and changes nothing.
            match (taint.bit, taint.mask_after) {
                (Some(bit), Some(after)) => prop_assert!(after.has(bit)),
                (bit, after) => prop_assert_eq!((bit, after), (None, None)),
            }
        }
    }

    #[test]
    fn a_report_that_never_ends_is_bounded(line in "[a-z+0-9x ]{1,30}") {
        let log = vec![(1, None, "BUG: unable to handle page fault"); 1];
        let log: Vec<_> = log.into_iter().chain((0..600).map(|_| (1, None, line.as_str()))).collect();
        for finding in findings(&log) {
            prop_assert!(finding.lines.len() <= 200);
        }
    }
}
