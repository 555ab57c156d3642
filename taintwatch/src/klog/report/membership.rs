//! Which lines belong to an open report.
//!
//! In: a report so far, a line or another report. Out: whether the report continues with it.

use super::Report;
use crate::{
    klog::{
        Line,
        facts::named,
        line::cut,
        marks::{LOCKDEP_OFF, PANIC, is_part, number_behind},
        pause,
    },
    taint::{flags::bit, log::TaintLine},
};

impl Report {
    /// Whether another line that shows a flag is one more line of this report: an oops has two or three, a machine
    /// check one for each bank.
    pub(in crate::klog) fn continues_with(&self, taint_line: &TaintLine, text: &str) -> bool {
        match self.bit() {
            Some(bit::DIE) => {
                // Its number comes last of these lines; a console can show it twice.
                let is_next = self.oops.is_some() && self.oops != number_behind(text, "[#");
                taint_line.bit == bit::DIE && !self.has_header && !self.has_end && !is_next
            }
            Some(bit::MACHINE_CHECK) => taint_line.bit == bit::MACHINE_CHECK && taint_line.report,
            _ => false,
        }
    }

    /// Whether another report is of the same task, which means that this one is complete. In old kernels the idle tasks
    /// of all CPUs are called `swapper`, since 3.3 with the number of the CPU.
    pub(in crate::klog) fn has_same_task(&self, other: &Self) -> bool {
        self.task == other.task
            && self
                .task
                .as_ref()
                .is_some_and(|(comm, _)| comm != "swapper")
    }

    /// Whether a line that names a CPU can be of this report, which has named none.
    pub(in crate::klog) fn can_take_cpu_line(&self, text: &str) -> bool {
        let is_other = |task: &(String, u32)| task_of(text).is_some_and(|named| named != *task);
        self.cpu.is_none() && !self.task.as_ref().is_some_and(is_other)
    }

    /// A flag that a `WARN_TAINT` sets in place of W: the text stands behind the header.
    pub(in crate::klog) fn takes_warn_taint(&self, taint_line: &TaintLine) -> bool {
        let is_same = self.bit() == Some(taint_line.bit);
        let is_open = self.bit() == Some(bit::WARN) || is_same;
        is_open && taint_line.can_be_warn_taint() && !self.has_header && self.is_warning()
    }

    fn is_warning(&self) -> bool {
        self.lines
            .first()
            .is_some_and(|line| line.trim_start().starts_with("WARNING: "))
    }

    /// Whether too long a time lies between this report and a line.
    pub(in crate::klog) fn has_timed_out_at(&self, line: &Line<'_>) -> bool {
        pause::lies_between(&self.last, line)
    }

    /// Whether it is complete when another begins, in a log that does not name the writers: a report names its place
    /// before the stack trace. One without a trace can continue between the lines of the other.
    pub(in crate::klog) fn has_printed_trace(&self) -> bool {
        self.has_trace
    }

    /// Whether its end mark can still follow when another report has begun.
    pub(in crate::klog) fn needs_end_mark(&self) -> bool {
        self.has_trace && !self.has_end && !self.ends_without_mark()
    }

    pub(super) fn is_unrelated(&self, text: &str) -> bool {
        (self.has_trace || self.has_end)
            && !is_part(text)
            && !text.starts_with(PANIC)
            && text != LOCKDEP_OFF
    }

    /// Reports without an end mark end before the first line that is no part of the trace.
    pub(super) fn ends_without_mark(&self) -> bool {
        let taint_line = self.taint_line.as_ref();
        let has_mark = taint_line.is_some_and(|taint_line| {
            matches!(taint_line.bit, bit::DIE | bit::WARN)
                && taint_line.place.is_none_or(|place| place == "die")
        });
        !has_mark && !self.is_sanitizer_report()
    }

    pub(super) fn is_sanitizer_report(&self) -> bool {
        let place = self
            .taint_line
            .as_ref()
            .and_then(|taint_line| taint_line.place);
        matches!(
            place,
            Some("end_report" | "kfence_report_error" | "kmsan_report")
        )
    }

    /// Whether a panic can follow the end mark.
    pub(super) fn can_panic_after_end(&self) -> bool {
        matches!(
            self.bit(),
            Some(bit::DIE | bit::MACHINE_CHECK | bit::SOFTLOCKUP)
        )
    }
}

pub(super) fn task_of(text: &str) -> Option<(String, u32)> {
    let (comm, pid) = named(cut(text).trim_start())?;
    Some((comm.to_owned(), pid))
}
