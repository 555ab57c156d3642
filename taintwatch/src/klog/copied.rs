//! Logs as people copy them: behind any prefix, and broken at any width.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Origin, Reconstruction, Scanner, stream};
use crate::event::Event;

const TIMED: &str = "\
[    9.123456] vboxdrv: loading out-of-tree module taints kernel.
[    9.123499] vboxdrv: module verification failed: signature and/or required key missing - tainting kernel
[   12.000001] nvidia: module license 'NVIDIA' taints kernel.
[   12.000002] Disabling lock debugging due to kernel taint
[   19.000000] ------------[ cut here ]------------
[   19.000001] WARNING: CPU: 1 PID: 77 at drivers/foo/foo_main.c:112 foo_transmit+0x1f/0x200 [foo]
[   19.000002] Modules linked in: foo(OE+) nvidia_uvm(POE) nvidia(POE) usb_storage vboxdrv(OE) libzfs(PO) ext4 crc16
[   19.000003] CPU: 1 PID: 77 Comm: VBoxHeadless Tainted: P           OE      6.1.0-50-amd64 #1  Debian 6.1.176-1
[   19.000004] Call Trace:
[   19.000005]  <TASK>
[   19.000006]  dump_stack_lvl+0x44/0x5c
[   19.000007]  </TASK>
[   19.000008] ---[ end trace 0000000000000000 ]---
[   25.000001] BUG: kernel NULL pointer dereference, address: 0000000000000008
[   25.000002] Oops: 0002 [#1] PREEMPT SMP NOPTI
[   25.000003] CPU: 0 PID: 4711 Comm: insmod Tainted: P        W  OE      6.1.0-50-amd64 #1  Debian 6.1.176-1
[   25.000004] RIP: 0010:boom+0x5/0x10 [foo]
[   25.000005] Call Trace:
[   25.000006]  do_one_initcall+0x56/0x220
[   25.000007] ---[ end trace 0000000000000000 ]---
";

/// The same of a kernel that prints no times.
fn untimed() -> String {
    let texts = TIMED.lines().filter_map(|line| line.split_once("] "));
    texts.flat_map(|(_, text)| [text, "\n"]).collect()
}

struct Read {
    events: Vec<Event>,
    /// Something was not understood, and is said.
    is_honest: bool,
}

fn read(log: &str) -> Read {
    let mut scanner = Scanner::new();
    let mut findings = Vec::new();
    let mut sink = |line: &super::Line<'_>| findings.extend(scanner.push(line));
    let read = stream::read(&mut log.as_bytes(), &mut sink).unwrap();
    findings.extend(scanner.finish());
    Read {
        events: Reconstruction::events(Origin::default(), findings),
        is_honest: read.unread.count + read.programs.count > 0,
    }
}

/// Flag, module, code and task of each event, and its time by the kernel's clock.
fn facts(events: &[Event]) -> Vec<String> {
    let fact = |event: &Event| {
        let task = event.task.as_ref().map(|task| (&task.comm, task.pid));
        let (bit, module) = (event.bit(), event.module_name());
        format!(
            "{bit:?} {module:?} {:?} {task:?} {:?}",
            event.caller, event.boottime_ns
        )
    };
    events.iter().map(fact).collect()
}

/// The flags, with the modules that carry them.
fn flags(events: &[Event]) -> BTreeSet<(Option<u32>, Option<String>)> {
    let flag = |event: &Event| (event.bit(), event.module_name().map(str::to_owned));
    events.iter().map(flag).collect()
}

/// A piece of a prefix; a `%` stands for the number of the line.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{2,8}",
        "[a-z]{2,5}-[0-9]",
        "[A-Z]{3,8}",
        "[0-9]{1,3}%",
        "20[0-9]{2}-[01][0-9]-[0-2][0-9]",
        "[0-2][0-9]:[0-5][0-9]:[0-5][0-9]",
        "\\[[a-z0-9]{1,8}\\]",
        "\\([a-z0-9]{1,6}\\)",
        "/[a-z]{1,6}/[a-z]{1,4}\\.[a-z]{1,3}",
        "[|>$*~-]{1,3}",
    ]
}

fn prefix() -> impl Strategy<Value = String> {
    let end = prop::sample::select(vec![" ", "> ", " | ", " - ", "# ", "  "]);
    (prop::collection::vec(piece(), 1..5), end)
        .prop_map(|(pieces, end)| format!("{}{end}", pieces.join(" ")))
}

fn behind(prefix: &str, log: &str) -> String {
    let line = |(number, line): (usize, &str)| {
        format!("{}{line}\n", prefix.replace('%', &number.to_string()))
    };
    log.lines().enumerate().map(line).collect()
}

/// How lines are broken: what goes on may be indented.
#[derive(Clone, Copy, Debug)]
struct How {
    between_words: bool,
    keeps_blanks: bool,
    indent: usize,
}

/// Breaks each line at a width, as a terminal does, or between words, as a mail program does.
fn wrapped(log: &str, width: usize, how: How) -> String {
    let How {
        between_words,
        keeps_blanks,
        indent,
    } = how;
    let mut out = String::new();
    for line in log.lines() {
        let mut rest = line;
        while rest.len() > width {
            let blank = rest.get(..width).and_then(|part| part.rfind(' '));
            let at = blank
                .filter(|at| between_words && *at > 16)
                .map_or(width, |at| at + 1);
            let (piece, behind) = rest.split_at(at);
            let piece = if keeps_blanks && !between_words {
                piece
            } else {
                piece.trim_end()
            };
            out.push_str(piece);
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            rest = behind;
        }
        out.push_str(rest);
        out.push('\n');
    }
    out
}

#[test]
fn the_log_tells_what_it_should() {
    let events = read(TIMED).events;
    let bits: Vec<_> = events.iter().filter_map(Event::bit).collect();
    assert_eq!(bits.len(), 14, "{:#?}", facts(&events));
    assert!(!read(TIMED).is_honest);
    let tasks: Vec<_> = events
        .iter()
        .filter_map(|event| Some(event.task.as_ref()?.pid))
        .collect();
    assert_eq!(tasks, [77, 4711]);
}

proptest! {
    #[test]
    fn a_prefix_changes_nothing(prefix in prefix()) {
        let expected = read(TIMED);
        let found = read(&behind(&prefix, TIMED));
        prop_assert_eq!(facts(&found.events), facts(&expected.events));
    }

    #[test]
    fn without_times_a_prefix_changes_nothing_or_is_not_understood(prefix in prefix()) {
        let expected = flags(&read(&untimed()).events);
        let found = read(&behind(&prefix, &untimed()));
        let flags = flags(&found.events);
        // Lines that only a report holds are read behind a prefix of one shape alone: the code may be missing.
        let named = |flags: &BTreeSet<(Option<u32>, Option<String>)>| -> BTreeSet<_> {
            flags.iter().filter(|(_, module)| module.is_some()).cloned().collect()
        };
        let bits = |flags: &BTreeSet<(Option<u32>, Option<String>)>| -> BTreeSet<_> {
            flags.iter().map(|(bit, _)| *bit).collect()
        };
        prop_assert!(named(&flags).is_subset(&named(&expected)), "{:?}", flags);
        prop_assert!(found.is_honest || bits(&flags) == bits(&expected), "{:?}", flags);
    }

    #[test]
    fn a_width_names_no_other_module(
        width in 40..160_usize,
        between_words: bool,
        keeps_blanks: bool,
        indent in prop::sample::select(vec![0_usize, 0, 2, 4]),
        host: bool,
        timed: bool,
    ) {
        let log = match (timed, host) {
            (true, true) => behind("Nov 24 12:00:00 web1 kernel: ", TIMED),
            (true, false) => TIMED.to_owned(),
            (false, _) => untimed(),
        };
        let expected = flags(&read(&log).events);
        let wrapped = wrapped(&log, width, How { between_words, keeps_blanks, indent });
        let found = read(&wrapped);
        let flags = flags(&found.events);
        let named = |flags: &BTreeSet<(Option<u32>, Option<String>)>| -> BTreeSet<_> {
            flags.iter().filter(|(_, module)| module.is_some()).cloned().collect()
        };
        let bits = |flags: &BTreeSet<(Option<u32>, Option<String>)>| -> BTreeSet<_> {
            flags.iter().map(|(bit, _)| *bit).collect()
        };
        prop_assert!(named(&flags).is_subset(&named(&expected)), "{:?}\n{}", named(&flags), wrapped);
        // A line that was broken in a word may lose the module of its code; those of the lists are there.
        let listed = |flags: &BTreeSet<(Option<u32>, Option<String>)>| -> BTreeSet<_> {
            named(flags).into_iter().filter(|(bit, _)| matches!(bit, Some(0 | 12 | 13))).collect()
        };
        let is_same = bits(&flags) == bits(&expected) && (!timed || listed(&flags) == listed(&expected));
        prop_assert!(found.is_honest || is_same, "{:?}\n{}", flags, wrapped);
    }
}

#[test]
fn a_wrapped_list_outside_of_a_report_is_read() {
    for log in [
        "[   12.000001] Modules linked in: foo(OE+) nvidia_uvm(POE) nvidia(POE) usb_storage\nvboxdrv(OE) ext4\n",
        "Modules linked in: foo(OE+) nvidia_uvm(POE) nvidia(POE) usb_storage\nvboxdrv(OE) ext4\n",
        "[   12.000001] Modules linked in: foo(OE+) nvidia_uvm(POE) nvidia(POE)\n[   12.000002]  usb_storage vboxdrv(OE)\n",
        "[   12.000001] kernel: Modules linked in: foo(OE+) nvidia_uvm(POE) nvidia(POE) usb_storage\nvboxdrv(OE) ext4\n",
    ] {
        let flags = flags(&read(log).events);
        let modules: BTreeSet<_> = flags.into_iter().filter_map(|(_, module)| module).collect();
        assert!(
            modules.len() >= 3 && modules.contains("nvidia_uvm"),
            "{modules:?} {log}"
        );
        let is_torn = log.contains("usb_storage\nvboxdrv");
        assert_eq!(modules.contains("vboxdrv"), !is_torn, "{log}");
        assert_eq!(read(log).is_honest, is_torn, "{log}");
    }
}

#[test]
fn objects_of_collectors_carry_the_kernels_lines() {
    let object = |line: &str| {
        let log = format!("{line}\n");
        serde_json::json!({"log": log, "stream": "stdout"}).to_string() + "\n"
    };
    let objects: String = TIMED.lines().map(object).collect();
    assert_eq!(facts(&read(&objects).events), facts(&read(TIMED).events));
    let one =
        serde_json::json!({"message": "foo: module license 'X' taints kernel.", "ident": "app"});
    let found = read(&format!("{one}\n"));
    assert!(found.events.is_empty() && found.is_honest);
}
