//! One report while its lines come in.
//!
//! In: lines of one writer. Out: whether the report goes on, and at its end the finding. A report ends with its end
//! mark, where the next thing begins, after too long a pause, where lines are missing, or where lines follow that
//! cannot be a part of it.

mod membership;

use membership::task_of;

use super::{
    Facts, Finding, Line, LoggedBoot, Moment, What,
    facts::Runner,
    line::{LONGEST_KEPT, cut},
    marks::{ARM_CUT_HERE, CUT_HERE, END, cpu_of, is_trace, number_behind},
};
use crate::taint::{log::TaintLine, release::Release};

/// No report has more lines.
const MOST: usize = 200;
const MOST_BYTES: usize = 64 * 1024;
/// No mail program and no terminal leaves lines so long; a logger's limit does.
const WIDEST_MAIL: usize = 250;
/// So many lines behind a stack trace that are not a part of the report end it.
const MOST_UNRELATED: usize = 3;

/// A report that is not complete.
#[derive(Debug)]
pub(super) struct Report {
    /// The flag; none for a panic without one.
    pub(super) taint_line: Option<TaintLine>,
    at: Moment,
    pub(super) caller: Option<String>,
    pub(super) cpu: Option<u32>,
    lines: Vec<String>,
    bytes: usize,
    last: Moment,
    last_place: u64,
    /// The header is behind: another oops is another report.
    pub(super) has_header: bool,
    has_trace: bool,
    pub(super) has_end: bool,
    unrelated: usize,
    /// The number of the oops.
    oops: Option<u32>,
    /// The task that the first line names.
    task: Option<(String, u32)>,
    /// Who that line says was running.
    pub(super) runner: Runner,
}

impl Report {
    pub(super) fn new(taint_line: Option<TaintLine>, line: &Line<'_>) -> Self {
        Self {
            task: task_of(line.text),
            runner: Runner::of(line.text.trim()),
            cpu: taint_line.as_ref().and_then(|_| cpu_of(line.text)),
            taint_line,
            at: line.into(),
            caller: line.caller.map(str::to_owned),
            lines: vec![cut(line.text).to_owned()],
            bytes: 0,
            last: line.into(),
            last_place: line.place,
            has_header: false,
            has_trace: false,
            has_end: false,
            unrelated: 0,
            oops: number_behind(line.text, "[#"),
        }
    }

    pub(super) fn bit(&self) -> Option<u32> {
        self.taint_line.as_ref().map(|taint_line| taint_line.bit)
    }

    /// Adds a line; `false` when the report is complete.
    pub(super) fn add(&mut self, line: &Line<'_>) -> bool {
        let text = cut(line.text);
        self.last_place = line.place;
        if text == CUT_HERE || text == ARM_CUT_HERE {
            return !self.has_end;
        }
        if line.has_time() {
            self.last = line.into();
        }
        if !self.at.has_time() {
            // The first line lost its time: the next was written at the same time.
            self.at = Moment {
                number: self.at.number,
                place: self.at.place,
                ..line.into()
            };
        }
        if self.is_unrelated(text) {
            self.unrelated += 1;
            if self.unrelated >= MOST_UNRELATED || self.ends_without_mark() {
                self.drop_unrelated();
                return false;
            }
        } else {
            self.unrelated = 0;
        }
        self.note(text);
        self.lines.push(text.to_owned());
        self.bytes += text.len();
        let is_rule = text.len() > 20 && text.bytes().all(|byte| byte == b'=');
        let complete = self.lines.len() >= MOST
            || self.bytes >= MOST_BYTES
            || text.starts_with("---[ end Kernel panic")
            || (self.has_end && !self.can_panic_after_end())
            || (is_rule && self.is_sanitizer_report());
        !complete
    }

    /// What stood between the cut mark and this report, which is its text: behind its first line, as older kernels
    /// print it.
    pub(super) fn explain(&mut self, lines: Vec<String>) {
        self.lines.extend(lines);
    }

    /// Goes on in the line that was broken.
    pub(super) fn append_to_last(&mut self, text: &str) {
        if let Some(last) = self.lines.last_mut()
            && last.len() + text.len() < LONGEST_KEPT
        {
            // What breaks a long line breaks words too: the halves of a name are no names.
            let joint = if last.len() > WIDEST_MAIL { '…' } else { ' ' };
            last.push(joint);
            last.push_str(text.trim_start());
            self.bytes += text.len();
        }
    }

    fn note(&mut self, text: &str) {
        self.oops = self.oops.or_else(|| number_behind(text, "[#"));
        self.has_end |= text.starts_with(END);
        self.has_header |= (text.contains("CPU: ") && text.contains("PID: "))
            || text.starts_with("Pid: ")
            || text.starts_with("Modules linked in:")
            || text.starts_with("Call ");
        self.has_trace |= is_trace(text) && self.has_header;
        if self.cpu.is_none() && text.starts_with("CPU: ") {
            self.cpu = cpu_of(text);
        }
    }

    fn drop_unrelated(&mut self) {
        let kept = self.lines.len().saturating_sub(self.unrelated - 1);
        self.lines.truncate(kept.max(1));
    }

    /// The report as far as it came.
    pub(super) fn finding(mut self, host: Option<&str>, boot: &LoggedBoot) -> Finding {
        let facts = Facts::read_of(&self.lines, self.caller.as_deref());
        // The first line may have been broken when it was read, and the release unknown.
        let release = boot.release.as_deref().or(facts.release.as_deref());
        let release = release.and_then(Release::parse);
        let first = self.lines.first().map(String::as_str).unwrap_or_default();
        let mut what = What::State;
        if let Some(mut taint_line) = self.taint_line.take() {
            if let Some(again) = TaintLine::parse_on(first, release) {
                taint_line.code = again.code;
                taint_line.module = again.module;
                what = What::TaintLine(taint_line);
            } else if TaintLine::parse_on(first, None).is_none() {
                what = What::TaintLine(taint_line);
            }
        }
        Finding {
            what,
            host: host.map(str::to_owned),
            boot: boot.clone(),
            at: self.at,
            last_place: self.last_place,
            lines: self.lines,
            facts,
        }
    }
}
