//! Where a report in the kernel log begins and ends.
//!
//! In: one of its lines, the log. Out: its first line; its lines from there to its end.

use crate::{
    kernel::kmsg::Line,
    klog::marks::{CUT_HERE, END},
    taint::{flags::bit, log::TaintLine, release::Release},
};

/// A line with its time on `CLOCK_BOOTTIME`.
#[derive(Clone, Debug)]
pub struct Logged {
    pub line: Line,
    pub boottime_ns: u64,
    /// The kernel that printed it, where that is known.
    pub release: Option<Release>,
}

impl Logged {
    /// The flag that the line is about.
    pub(super) fn taint(&self) -> Option<TaintLine> {
        TaintLine::parse_on(&self.line.text, self.release)
    }
}

/// How long printing a report takes on a slow console.
pub(super) const PRINTED_NS: u64 = 5_000_000_000;
/// No report is longer; one without an end mark ends here.
const MOST: usize = 120;

/// The first line of the report that a line stands in: an oops has two that name its flag.
pub(super) fn first_line<'a>(line: &'a Logged, log: &'a [Logged], flag: u32) -> &'a Logged {
    let before = log
        .iter()
        .rev()
        .skip_while(|logged| logged.line.seq >= line.line.seq)
        .take(8);
    let same = before
        .take_while(|logged| !logged.line.text.starts_with(END))
        .filter(|logged| logged.line.caller == line.line.caller)
        .filter(|logged| logged.taint().is_some_and(|line| line.bit == flag));
    same.last().unwrap_or(line)
}

/// From the first line to the end of the report.
pub(super) fn lines<'a>(first: &'a Logged, log: &'a [Logged], flag: u32) -> Vec<&'a Logged> {
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
                || logged
                    .taint()
                    .is_some_and(|line| line.report && (line.bit, flag) != (bit::DIE, bit::DIE)));
        if begins_another && first.line.caller.is_none() {
            return vec![first];
        }
        // A report without an end mark ends where the next report begins.
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

    const SECOND: u64 = 1_000_000_000;
    const WARNS: &str = "WARNING: CPU: 1 PID: 7 at x.c:1 f+0x1/0x2 [m]";
    const ENDS: &str = "---[ end trace 0000000000000000 ]---";

    /// Lines of these seconds, each with its writer; none where the kernel does not name it.
    fn log(lines: &[(u64, &str, &str)]) -> Vec<Logged> {
        let line = |(seq, (second, caller, text)): (u64, &(u64, &str, &str))| Logged {
            line: Line {
                seq,
                time_us: 0,
                caller: Some((*caller).to_owned()).filter(|caller| !caller.is_empty()),
                text: (*text).to_owned(),
            },
            boottime_ns: second * SECOND,
            release: None,
        };
        (0..).zip(lines).map(line).collect()
    }

    /// The report that begins with the line of this number.
    fn report(log: &[Logged], first: usize, flag: u32) -> Vec<&str> {
        let lines = lines(&log[first], log, flag);
        lines
            .iter()
            .map(|logged| logged.line.text.as_str())
            .collect()
    }

    #[test]
    fn a_line_of_much_later_is_of_no_report_before_it() {
        let log = log(&[
            (10, "", WARNS),
            (15, "", "Call Trace:"),
            (16, "", "something else"),
            (16, "", ENDS),
        ]);
        assert_eq!(report(&log, 0, bit::WARN), [WARNS, "Call Trace:"]);
    }

    #[test]
    fn a_line_of_another_writer_is_of_another_report() {
        let other = "WARNING: CPU: 0 PID: 8 at y.c:1 g+0x1/0x2";
        let mixed = log(&[
            (1, "T7", WARNS),
            (1, "T8", other),
            (1, "T8", "RIP: 0010:g+0x1/0x2"),
            (1, "T7", "RIP: 0010:f+0x1/0x2 [m]"),
            (1, "T8", ENDS),
            (1, "T7", ENDS),
        ]);
        let of_7 = [WARNS, "RIP: 0010:f+0x1/0x2 [m]", ENDS];
        assert_eq!(report(&mixed, 0, bit::WARN), of_7);
        assert_eq!(
            report(&mixed, 1, bit::WARN),
            [other, "RIP: 0010:g+0x1/0x2", ENDS]
        );
    }

    #[test]
    fn an_oops_begins_with_the_first_line_of_its_own_writer() {
        let bug = "BUG: kernel NULL pointer dereference, address: 0000000000000008";
        let oops = "Oops: 0000 [#1] PREEMPT SMP NOPTI";
        let first = |log: &[Logged], at: usize| first_line(&log[at], log, bit::DIE).line.seq;
        let own = log(&[(1, "T7", bug), (1, "T7", "#PF: x"), (1, "T7", oops)]);
        assert_eq!(first(&own, 2), 0);
        let others = log(&[(1, "T8", bug), (1, "T7", "#PF: x"), (1, "T7", oops)]);
        assert_eq!(first(&others, 2), 2, "the line of another task");
        let ended = log(&[(1, "T7", bug), (1, "T7", ENDS), (1, "T7", oops)]);
        assert_eq!(first(&ended, 2), 2, "the line of the report before");
    }

    /// Without writers, which a kernel with `CONFIG_PRINTK_CALLER` names, a report in a report cannot be taken apart.
    #[test]
    fn a_report_that_begins_in_another_leaves_the_first_line_alone() {
        let mixed = log(&[(1, "", WARNS), (1, "", "Call Trace:"), (1, "", CUT_HERE)]);
        assert_eq!(report(&mixed, 0, bit::WARN), [WARNS]);
        let bug = "BUG: kernel NULL pointer dereference, address: 0000000000000008";
        let oops = "Oops: 0000 [#1] PREEMPT SMP NOPTI";
        let dies = log(&[(1, "", bug), (1, "", oops), (1, "", ENDS)]);
        assert_eq!(report(&dies, 0, bit::DIE), [bug, oops, ENDS]);
        // Another flag's report in the same second.
        let warns = log(&[(1, "", bug), (1, "", WARNS), (1, "", ENDS)]);
        assert_eq!(report(&warns, 0, bit::DIE), [bug]);
        let dies = log(&[(1, "", WARNS), (1, "", bug), (1, "", ENDS)]);
        assert_eq!(report(&dies, 0, bit::WARN), [WARNS]);
    }

    #[test]
    fn the_end_of_a_stack_ends_a_report_without_an_end_mark() {
        let task = "</TASK>";
        let with_end = log(&[(1, "", WARNS), (1, "", task), (1, "", "x"), (1, "", ENDS)]);
        assert_eq!(report(&with_end, 0, bit::WARN), [WARNS, task, "x", ENDS]);
        let without = log(&[(1, "", ENDS), (1, "", WARNS), (1, "", task), (1, "", "x")]);
        assert_eq!(report(&without, 1, bit::WARN), [WARNS, task]);
    }

    #[test]
    fn the_first_line_of_an_oops_is_near() {
        let bug = "BUG: kernel NULL pointer dereference, address: 0000000000000008";
        let oops = "Oops: 0000 [#1] PREEMPT SMP NOPTI";
        let between = |lines: usize| {
            let lines = [vec![bug], vec!["x"; lines], vec![oops, "y"]].concat();
            let lines: Vec<_> = lines.into_iter().map(|text| (1, "T7", text)).collect();
            let log = log(&lines);
            first_line(&log[log.len() - 2], &log, bit::DIE)
                .line
                .text
                .clone()
        };
        assert_eq!(between(7), bug);
        assert_eq!(between(8), oops);
    }
}
