//! The lines of the kernel log that belong to an event.
//!
//! In: an event, the log up to a moment after it. Out: the lines of its report, whole, or those of them that are
//! surely its own. Pure. Reports of two CPUs can stand between each other: lines are told apart by their writer where
//! the kernel names it, and else a report with a second one inside is cut down to its first line.

use crate::{
    event::{Class, Event, Kind},
    kernel::kmsg::Line,
    klog::marks::{CUT_HERE, END, cpu_of},
    taint::{flags::bit, log::TaintLine},
};

/// A line with its time on `CLOCK_BOOTTIME`.
#[derive(Clone, Debug)]
pub struct Logged {
    pub line: Line,
    pub boottime_ns: u64,
}

/// How far the log's clock and that of the hooks may be apart, and how long printing a report takes on a slow console.
const APART_NS: u64 = 50_000_000;
/// From a flag to the end of a text that is printed when it is set already, on a machine that is busy.
const FOLLOWS_NS: u64 = 500_000_000;
/// Flags whose texts follow: by the loader, and by `numa_node_store` (`drivers/pci/pci-sysfs.c`).
pub const TEXT_FOLLOWS: [u32; 2] = [bit::CRAP, bit::FIRMWARE_WORKAROUND];
const PRINTED_NS: u64 = 5_000_000_000;
/// No report is longer; a broken one ends here.
const MOST: usize = 120;

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
        .filter(|logged| {
            names_it(&logged.line.text) && TaintLine::parse(&logged.line.text).is_none()
        })
        .collect();
    let lines = found
        .iter()
        .map(|logged| logged.line.text.clone())
        .collect();
    (!found.is_empty()).then(|| (lines, found.iter().map(|logged| logged.line.seq).collect()))
}

/// Printed shortly before a moment, or a little after it, and nobody's yet.
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
    // The nearest before the event, or a moment behind: some are printed when the flag is set already.
    let first = log.iter().filter(near).rev().find(|logged| {
        TaintLine::parse(&logged.line.text)
            .is_some_and(|told| told.bit == bit && fits(event, class, &told, &logged.line.text))
    })?;
    let first = if class == Class::ModuleLoad {
        first
    } else {
        beginning(first, log, bit)
    };
    let lines = if class == Class::ModuleLoad {
        vec![first]
    } else {
        report(first, log, bit)
    };
    let lines = lines
        .into_iter()
        .map(|logged| logged.line.text.clone())
        .collect();
    Some((lines, first.line.seq))
}

/// Whether a line can be about this event.
fn fits(event: &Event, class: Class, told: &TaintLine, line: &str) -> bool {
    let module = event.module_name();
    if class == Class::ModuleLoad {
        return told.module.is_some() && told.module.as_deref() == module;
    }
    let same_code = match (&told.code, event.caller.as_deref()) {
        (Some(code), Some(caller)) => code.split('+').next() == caller.split('+').next(),
        _ => true,
    };
    same_code && cpu_of(line).is_none_or(|cpu| Some(cpu) == event.cpu)
}

/// The first line of the report that a line stands in: an oops has two that tell of its flag.
fn beginning<'a>(line: &'a Logged, log: &'a [Logged], flag: u32) -> &'a Logged {
    let before = log
        .iter()
        .rev()
        .skip_while(|logged| logged.line.seq >= line.line.seq)
        .take(8);
    let same = before
        .take_while(|logged| !logged.line.text.starts_with(END))
        .filter(|logged| logged.line.caller == line.line.caller)
        .filter(|logged| TaintLine::parse(&logged.line.text).is_some_and(|told| told.bit == flag));
    same.last().unwrap_or(line)
}

/// From the first line to the end of the report.
fn report<'a>(first: &'a Logged, log: &'a [Logged], flag: u32) -> Vec<&'a Logged> {
    let same_writer =
        |logged: &&Logged| first.line.caller.is_none() || logged.line.caller == first.line.caller;
    let behind = log
        .iter()
        .filter(|logged| logged.line.seq >= first.line.seq)
        .filter(same_writer);
    let mut lines = Vec::new();
    for logged in behind.take(MOST) {
        let text = logged.line.text.as_str();
        // An oops begins with two or three lines that each name its flag.
        let begins_another = !lines.is_empty()
            && (text == CUT_HERE
                || TaintLine::parse(text)
                    .is_some_and(|told| told.report && (told.bit, flag) != (bit::DIE, bit::DIE)));
        if begins_another && first.line.caller.is_none() {
            return vec![first];
        }
        // A report without an end mark ends where the next thing begins.
        if begins_another || logged.boottime_ns > first.boottime_ns + PRINTED_NS {
            break;
        }
        lines.push(logged);
        if text.starts_with(END) || text == "</TASK>" && !has_end(log, logged) {
            break;
        }
    }
    lines
}

/// Whether an end mark follows soon.
fn has_end(log: &[Logged], from: &Logged) -> bool {
    let behind = log.iter().filter(|logged| logged.line.seq > from.line.seq);
    behind
        .take(MOST)
        .any(|logged| logged.line.text.starts_with(END))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(texts: &[&str]) -> Vec<Logged> {
        let line = |(seq, text): (u64, &&str)| Logged {
            line: Line {
                seq,
                time_us: seq,
                caller: None,
                text: (*text).to_owned(),
            },
            boottime_ns: 1_000_000_000 + seq,
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
    fn a_report_is_told_whole() {
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
        assert!(lines_of(&failed, &log, &taken).is_none(), "told twice");
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
}
