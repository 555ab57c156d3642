//! The lines of the kernel log that belong to an event.
//!
//! In: an event, the log up to shortly after it. Out: the lines of its report, whole, or those that are certainly of
//! this event. Pure. Reports of two CPUs can be interleaved: lines are separated by their writer where the kernel names
//! it, and else a report with a second one inside is cut down to its first line.

pub use super::log_report::Logged;
use super::log_report::{self, PRINTED_NS};
use crate::{
    event::{Class, Event, Kind},
    klog::marks::cpu_of,
    taint::{flags::bit, log::TaintLine},
};

/// How far the log's clock and that of the hooks may be apart.
const APART_NS: u64 = 50_000_000;
/// From a flag to the end of a text that is printed after it is set, on a busy machine.
const FOLLOWS_NS: u64 = 500_000_000;
/// Flags whose texts are printed after they are set: by the loader, and by `numa_node_store` (`drivers/pci/pci-sysfs.c`).
pub const TEXT_FOLLOWS: [u32; 2] = [bit::CRAP, bit::FIRMWARE_WORKAROUND];

/// The lines of an event, and the sequences of those that no other event gets.
#[must_use]
pub fn lines_of(event: &Event, log: &[Logged], taken: &[u64]) -> Option<(Vec<String>, Vec<u64>)> {
    if event.kind == Kind::ModuleLoadFailed {
        return reasons(event, log, taken);
    }
    let (lines, first) = report_of(event, log, taken)?;
    Some((lines, vec![first]))
}

/// Why a load failed: lines that name the module, and are about no flag.
fn reasons(event: &Event, log: &[Logged], taken: &[u64]) -> Option<(Vec<String>, Vec<u64>)> {
    let name = event.module_name()?;
    let at = event.boottime_ns?;
    let names_it = |text: &str| {
        text.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(':'))
            || text
                .strip_prefix("Module ")
                .and_then(|text| text.strip_prefix(name))
                .is_some_and(|rest| rest.starts_with(' '))
    };
    let found: Vec<_> = log
        .iter()
        .filter(|logged| is_near(logged, at, taken))
        .filter(|logged| names_it(&logged.line.text) && logged.taint().is_none())
        .collect();
    let lines = found
        .iter()
        .map(|logged| logged.line.text.clone())
        .collect();
    (!found.is_empty()).then(|| (lines, found.iter().map(|logged| logged.line.seq).collect()))
}

/// Printed shortly before a time or a little after it, and not yet given to another event.
fn is_near(logged: &Logged, at: u64, taken: &[u64]) -> bool {
    is_near_or_behind(logged, at, APART_NS, taken)
}

fn is_near_or_behind(logged: &Logged, at: u64, behind: u64, taken: &[u64]) -> bool {
    logged.boottime_ns <= at.saturating_add(behind)
        && at.saturating_sub(logged.boottime_ns) <= PRINTED_NS
        && !taken.contains(&logged.line.seq)
}

/// The report of a flag, and the sequence of its first line.
fn report_of(event: &Event, log: &[Logged], taken: &[u64]) -> Option<(Vec<String>, u64)> {
    let bit = event
        .taint
        .as_ref()?
        .bit
        .filter(|_| event.kind == Kind::Taint)?;
    let at = event.boottime_ns?;
    let behind = if TEXT_FOLLOWS.contains(&bit) {
        FOLLOWS_NS
    } else {
        APART_NS
    };
    let near = |logged: &&Logged| is_near_or_behind(logged, at, behind, taken);
    let class = event.cause.as_ref()?.class;
    // The nearest before the event, or shortly after it: some are printed after the flag is set.
    let first = log.iter().filter(near).rev().find(|logged| {
        logged
            .taint()
            .is_some_and(|line| line.bit == bit && fits(event, class, &line, &logged.line.text))
    })?;
    let first = if class == Class::ModuleLoad {
        first
    } else {
        log_report::first_line(first, log, bit)
    };
    let lines = if class == Class::ModuleLoad {
        vec![first]
    } else {
        log_report::lines(first, log, bit)
    };
    let lines = lines
        .into_iter()
        .map(|logged| logged.line.text.clone())
        .collect();
    Some((lines, first.line.seq))
}

/// Whether a line can be of this event.
fn fits(event: &Event, class: Class, named: &TaintLine, line: &str) -> bool {
    let module = event.module_name();
    if class == Class::ModuleLoad {
        return named.module.is_some() && named.module.as_deref() == module;
    }
    let same_code = match (&named.code, event.caller.as_deref()) {
        (Some(code), Some(caller)) => code.split('+').next() == caller.split('+').next(),
        _ => true,
    };
    same_code && cpu_of(line).is_none_or(|cpu| Some(cpu) == event.cpu)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{kernel::kmsg::Line, klog::marks::END, taint::flags::bit, taint::release::Release};

    fn log(texts: &[&str]) -> Vec<Logged> {
        let line = |(seq, text): (u64, &&str)| Logged {
            line: Line {
                seq,
                time_us: seq,
                caller: None,
                text: (*text).to_owned(),
            },
            boottime_ns: 1_000_000_000 + seq,
            release: None,
        };
        (1..).zip(texts).map(line).collect()
    }

    fn event(class: &str, bit: u32, cpu: u32, caller: &str, module: &str) -> Event {
        serde_json::from_value(serde_json::json!({
            "schema": 1, "id": "x", "seq": 1, "kind": "taint", "time": "2026-01-01T00:00:00Z",
            "boottime_ns": 1_000_000_100_u64, "cpu": cpu, "caller": caller,
            "taint": {"bit": bit}, "module": {"name": module},
            "cause": {"class": class, "summary": "", "confidence": "observed", "sources": []},
        }))
        .unwrap()
    }

    const WARN: [&str; 4] = [
        "------------[ cut here ]------------",
        "WARNING: CPU: 1 PID: 7 at x.c:1 f+0x1/0x2 [m]",
        "Call Trace:",
        "---[ end trace 0000000000000000 ]---",
    ];

    #[test]
    fn a_report_is_taken_whole() {
        let found = lines_of(
            &event("module_code", 9, 1, "f+0x2 [m]", "m"),
            &log(&WARN),
            &[],
        );
        let (lines, seq) = found.unwrap();
        assert_eq!((lines.len(), seq), (3, vec![2]));
        assert!(lines[2].starts_with(END));
    }

    #[test]
    fn another_cpu_or_another_place_is_another_report() {
        let log = log(&WARN);
        assert!(lines_of(&event("module_code", 9, 0, "f+0x2 [m]", "m"), &log, &[]).is_none());
        assert!(lines_of(&event("module_code", 9, 1, "g+0x2 [m]", "m"), &log, &[]).is_none());
        assert!(lines_of(&event("module_code", 9, 1, "f+0x2 [m]", "m"), &log, &[2]).is_none());
    }

    #[test]
    fn a_line_of_another_time_is_another_event() {
        let log = log(&WARN);
        let at = |boottime_ns: u64| {
            let mut event = event("module_code", 9, 1, "f+0x2 [m]", "m");
            event.boottime_ns = Some(boottime_ns);
            lines_of(&event, &log, &[]).is_some()
        };
        let printed = log[1].boottime_ns;
        assert!(at(printed + PRINTED_NS), "a slow console");
        assert!(!at(printed + PRINTED_NS + 1), "long before the event");
        assert!(at(printed - APART_NS), "the clocks are not the same");
        assert!(!at(printed - APART_NS - 1), "after the event");
    }

    #[test]
    fn two_reports_in_one_another_are_not_mixed() {
        let mixed = [
            WARN[0],
            WARN[1],
            WARN[0],
            "WARNING: CPU: 0 PID: 8 at y.c:1 g+0x1/0x2",
            "Call Trace:",
            WARN[3],
            WARN[3],
        ];
        let (lines, _) = lines_of(
            &event("module_code", 9, 1, "f+0x2 [m]", "m"),
            &log(&mixed),
            &[],
        )
        .unwrap();
        assert_eq!(lines, [WARN[1]]);
    }

    #[test]
    fn a_failed_load_has_the_lines_that_say_why() {
        let log = log(&[
            "a: loading out-of-tree module taints kernel.",
            "a: Unknown symbol x (err -2)",
            "ab: Unknown symbol y (err -2)",
            "Module a is blacklisted",
        ]);
        let mut failed = event("module_load", 12, 0, "", "a");
        failed.kind = Kind::ModuleLoadFailed;
        let (lines, taken) = lines_of(&failed, &log, &[]).unwrap();
        assert_eq!(
            lines,
            ["a: Unknown symbol x (err -2)", "Module a is blacklisted"]
        );
        assert!(
            lines_of(&failed, &log, &taken).is_none(),
            "given to two events"
        );
    }

    #[test]
    fn a_load_has_the_line_that_names_its_module() {
        let log = log(&[
            "a: loading out-of-tree module taints kernel.",
            "b: loading out-of-tree module taints kernel.",
        ]);
        let (lines, _) = lines_of(
            &event("module_load", 12, 0, "load_module+0x1", "a"),
            &log,
            &[],
        )
        .unwrap();
        assert_eq!(lines, ["a: loading out-of-tree module taints kernel."]);
        assert!(
            lines_of(
                &event("module_load", 12, 0, "load_module+0x1", "c"),
                &log,
                &[]
            )
            .is_none()
        );
    }

    #[test]
    fn what_a_text_means_depends_on_the_kernel_that_printed_it() {
        let mut lines = log(&["m: externally supported module, setting X kernel taint flag."]);
        let event = event("module_code", 31, 0, "f+0x2 [m]", "m");
        assert!(lines_of(&event, &lines, &[]).is_none());
        lines[0].release = Release::parse("4.12.14-122.74-default");
        assert!(lines_of(&event, &lines, &[]).is_some());
    }

    /// Both of its lines name the flag (`show_fault_oops`, `arch/x86/mm/fault.c`; `__die_header`,
    /// `arch/x86/kernel/dumpstack.c`).
    #[test]
    fn an_oops_is_taken_from_its_first_line() {
        let oops = [
            "BUG: kernel NULL pointer dereference, address: 0000000000000000",
            "Oops: 0000 [#1] PREEMPT SMP",
            "CPU: 1 PID: 7 Comm: x Not tainted 6.1.0 #1",
            "---[ end trace 0000000000000000 ]---",
        ];
        let event = event("kernel_code", bit::DIE, 1, "f+0x2", "");
        let (lines, seq) = lines_of(&event, &log(&oops), &[]).unwrap();
        assert_eq!((lines.len(), seq), (4, vec![1]));
        assert_eq!(lines[0], oops[0]);
    }
}
