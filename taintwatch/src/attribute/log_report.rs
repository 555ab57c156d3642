//! Where a report in the kernel log begins and ends.
//!
//! In: one of its lines, the log. Out: its first line; its lines from there to its end.

use crate::{
    kernel::kmsg::Line,
    klog::marks::{CUT_HERE, END},
    taint::{flags::bit, log::TaintLine},
};

/// A line with its time on `CLOCK_BOOTTIME`.
#[derive(Clone, Debug)]
pub struct Logged {
    pub line: Line,
    pub boottime_ns: u64,
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
        .filter(|logged| TaintLine::parse(&logged.line.text).is_some_and(|line| line.bit == flag));
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
                || TaintLine::parse(text).is_some_and(|line| {
                    line.report && (line.bit, flag) != (bit::DIE, bit::DIE)
                }));
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
