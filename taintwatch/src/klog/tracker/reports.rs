//! The reports that are open at once, and which of them a line belongs to.
//!
//! In: lines that matter, or that come while a report is open. Out: findings of the reports that are over. Where two
//! are open and nothing shows which a line belongs to, it is added to neither.

use super::{Tracker, list::List, live_patch::LivePatch};
use crate::{
    klog::{
        Finding, Line, What,
        before::Before,
        marks::{CFI, CUT_HERE, END, LOCKDEP_OFF, MODULES, PANIC, UNLOADED, cpu_of},
        report::Report,
    },
    taint::{
        flags::bit,
        log::{self, TaintLine},
    },
};

/// More reports are not followed at once.
const MOST_OPEN: usize = 4;

impl Tracker {
    pub(super) fn taint_line(
        &mut self,
        taint_line: TaintLine,
        line: &Line<'_>,
        out: &mut Vec<Finding>,
    ) {
        // While two are open it is not known which oops continues; a new one does not begin.
        let goes_on = || {
            let takes = |report: &Report| {
                line.caller.is_none() && report.continues_with(&taint_line, line.text)
            };
            self.open.iter().rposition(takes)
        };
        if let Some(index) = self.of_writer(line).or_else(goes_on) {
            let report = self.open.get_mut(index);
            if let Some(report) = report {
                if report.continues_with(&taint_line, line.text) {
                    self.add(index, line, out);
                    return;
                }
                if report.takes_warn_taint(&taint_line) {
                    if let Some(of_report) = &mut report.taint_line {
                        of_report.bit = taint_line.bit;
                        of_report.place = taint_line.place;
                    }
                    self.add(index, line, out);
                    return;
                }
            }
        }
        if !taint_line.report {
            if self.is_held(&taint_line, line) {
                return;
            }
            self.flush_before(out);
            if TaintLine::parse_on(line.text.trim(), self.release).is_some() {
                self.one_line(taint_line, line, out);
            }
            return;
        }
        self.begin(Some(taint_line), line, out);
    }

    /// A flag that one line shows. What can be the text of a WARN, or is set for a patch that is named behind it, waits.
    fn one_line(&mut self, taint_line: TaintLine, line: &Line<'_>, out: &mut Vec<Finding>) {
        let waits = taint_line.can_be_warn_taint() && self.is_free();
        let finding = self.single(What::TaintLine(taint_line), line);
        if let Some(framework) = log::live_patching(line.text) {
            out.extend(self.live_patch.take().map(LivePatch::finding));
            self.live_patch = Some(LivePatch::new(framework, finding));
        } else if waits {
            // The mark in front of it can be lost, or left out by the level.
            let mut before = Before::without_mark(line);
            before.hold(line, finding);
            self.before = Some(before);
        } else {
            out.push(finding);
        }
    }

    /// Whether a line can be the text of a WARN that follows.
    fn is_held(&mut self, taint_line: &TaintLine, line: &Line<'_>) -> bool {
        let can_hold = |before: &Before| before.can_hold(taint_line, line);
        let shows_flag = TaintLine::parse_on(line.text.trim(), self.release).is_some();
        let holds = shows_flag && self.is_free() && self.before.as_ref().is_some_and(can_hold);
        if holds {
            let alone = self.single(What::TaintLine(taint_line.clone()), line);
            if let Some(before) = &mut self.before {
                before.hold(line, alone);
            }
        }
        holds
    }

    fn begin(
        &mut self,
        mut taint_line: Option<TaintLine>,
        line: &Line<'_>,
        out: &mut Vec<Finding>,
    ) {
        if let Some(taint_line) = taint_line
            .as_mut()
            .filter(|taint_line| taint_line.bit == bit::WARN)
            && std::mem::take(&mut self.cfi)
        {
            // `report_cfi_failure` passes no flag, which is bit 0 (kernel/cfi.c).
            taint_line.bit = bit::PROPRIETARY_MODULE;
            taint_line.place = Some("report_cfi_failure");
        }
        let by_place = taint_line.as_mut().and_then(|warning| {
            let place = log::warn_taint(warning, line.text)?;
            (warning.bit, warning.place) = (place.bit, Some(place.function));
            Some(place.bit)
        });
        let mut new = Report::new(taint_line, line);
        if let Some(before) = &mut self.before
            && before.has_writer_of(line)
            && before.fits(by_place)
        {
            new.explain(before.text());
            if by_place.is_some() {
                // Its text shows the same flag.
                _ = before.flag();
            } else if let Some(warning) = new
                .taint_line
                .as_mut()
                .filter(|taint_line| taint_line.bit == bit::WARN)
                && let Some(flag) = before.flag()
            {
                warning.bit = flag.bit;
                warning.place = flag.place;
            }
        }
        self.flush_before(out);
        // What the same writer, or the same CPU, had open is behind; so is what had its end.
        let is_over = |report: &Report| {
            report.has_end
                || (new.caller.is_some() && report.caller == new.caller)
                || (new.cpu.is_some() && report.cpu == new.cpu)
                || report.has_same_task(&new)
                || (new.caller.is_none() && report.has_printed_trace())
        };
        let (over, mut open): (Vec<_>, Vec<_>) = std::mem::take(&mut self.open)
            .into_iter()
            .partition(is_over);
        self.awaits_end_mark = new.caller.is_none() && over.iter().any(Report::needs_end_mark);
        for report in over {
            self.emit(report, out);
        }
        if open.len() >= MOST_OPEN {
            let oldest = open.remove(0);
            self.emit(oldest, out);
        }
        open.push(new);
        self.last = Some(open.len() - 1);
        self.open = open;
    }

    pub(super) fn plain(&mut self, text: &str, line: &Line<'_>, out: &mut Vec<Finding>) {
        if text.starts_with(CFI) {
            self.cfi = true;
            return;
        }
        if let Some(index) = self.of_writer(line)
            && !self.ends_with(index, text, out)
        {
            if !self.is_awaited_end_mark(index, text) {
                self.add(index, line, out);
            }
            return;
        }
        if text.starts_with(PANIC) {
            // It is of the report that led to it, when one is near.
            match self.open.len() {
                0 => self.begin(None, line, out),
                open => self.add(open - 1, line, out),
            }
            return;
        }
        if self.open.is_empty() {
            let is_state = text.contains("ainted: ")
                || text.contains("Not tainted")
                || [MODULES, UNLOADED].iter().any(|list| text.contains(list))
                || text == LOCKDEP_OFF;
            if is_state {
                let mut state = self.single(What::State, line);
                self.other_kernel(&mut state, out);
                if text.contains(MODULES) {
                    self.list = Some(Box::new(List::new(state, line)));
                } else {
                    out.push(state);
                }
            }
        } else if text.starts_with(END) && self.open.iter().all(|report| report.caller.is_none()) {
            // It is not known which report ends: the oldest has waited longest.
            let oldest = self.open.remove(0);
            self.last = None;
            self.emit(oldest, out);
        }
    }

    /// Whether a line names the task of another report, with which this one ends.
    fn ends_with(&mut self, index: usize, text: &str, out: &mut Vec<Finding>) -> bool {
        let is_other = |report: &Report| report.runner.is_other(text);
        let ends = self.open.get(index).is_some_and(is_other);
        if ends {
            let report = self.open.remove(index);
            self.last = None;
            self.emit(report, out);
        }
        ends
    }

    /// Whether a line is the end mark of a report that was over before: this one has only begun.
    fn is_awaited_end_mark(&mut self, index: usize, text: &str) -> bool {
        let begins = |report: &Report| !report.has_header;
        text.starts_with(END)
            && self.open.get(index).is_some_and(begins)
            && std::mem::take(&mut self.awaits_end_mark)
    }

    /// The open report that a line belongs to.
    fn of_writer(&self, line: &Line<'_>) -> Option<usize> {
        if line.caller.is_some() {
            return self
                .open
                .iter()
                .rposition(|report| report.caller.as_deref() == line.caller);
        }
        match self.open.len() {
            0 => None,
            1 => Some(0),
            _ => {
                let cpu = cpu_of(line.text).filter(|_| line.text.trim() != CUT_HERE)?;
                let unnamed = || {
                    self.open
                        .iter()
                        .position(|report| report.can_take_cpu_line(line.text))
                };
                let named = self.open.iter().position(|report| report.cpu == Some(cpu));
                named.or_else(unnamed)
            }
        }
    }

    fn add(&mut self, index: usize, line: &Line<'_>, out: &mut Vec<Finding>) {
        let Some(report) = self.open.get_mut(index) else {
            return;
        };
        self.last = Some(index);
        if !report.add(line) {
            let report = self.open.remove(index);
            self.last = None;
            self.emit(report, out);
        }
    }

    pub(super) fn append_to_last(&mut self, text: &str) {
        if let Some(report) = self.last.and_then(|last| self.open.get_mut(last)) {
            report.append_to_last(text);
        }
    }

    pub(super) fn expire(&mut self, line: &Line<'_>, out: &mut Vec<Finding>) {
        if self
            .before
            .as_ref()
            .is_some_and(|before| before.has_timed_out_at(line))
        {
            self.flush_before(out);
        }
        if self.open.iter().any(|report| report.has_timed_out_at(line)) {
            let (over, open) = std::mem::take(&mut self.open)
                .into_iter()
                .partition(|report| report.has_timed_out_at(line));
            self.open = open;
            self.last = None;
            for report in Vec::from_iter::<Vec<_>>(over) {
                self.emit(report, out);
            }
        }
    }
}
