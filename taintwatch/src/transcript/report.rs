//! One report while its lines come in.
//!
//! In: lines of one writer. Out: whether the report goes on, and at its end the sighting. A report ends with its end
//! mark, where the next thing begins, after too long a pause, or where lines follow that cannot be a part of it.

use super::{
    Boot, Facts, Line, Moment, Sighting, What,
    facts::named,
    marks::{
        ARM_CUT_HERE, CUT_HERE, END, LOCKDEP_OFF, PANIC, cpu_of, is_part, is_trace, number_behind,
    },
};
use crate::taint::{
    log::{Told, told_on},
    release::Release,
};

/// No report has more lines; a line is cut at so many bytes.
const MOST: usize = 200;
pub(super) const LONGEST: usize = 4096;
const MOST_BYTES: usize = 64 * 1024;
/// No mail program and no terminal leaves lines so long; a logger's limit does.
const WIDEST_MAIL: usize = 250;
/// A pause that no report has, on a slow console either.
const PAUSE_NS: u64 = 5_000_000_000;
/// So many lines behind a stack trace that are not a part of the report end it.
const STRANGERS: usize = 3;
const MACHINE_CHECK: u32 = 4;
const DIE: u32 = 7;
const WARN: u32 = 9;
const SOFT_LOCKUP: u32 = 14;

/// A report that is not complete.
#[derive(Debug)]
pub(super) struct Report {
    /// The flag; none for a panic without one.
    pub(super) told: Option<Told>,
    at: Moment,
    pub(super) caller: Option<String>,
    pub(super) cpu: Option<u32>,
    lines: Vec<String>,
    bytes: usize,
    last_ns: Option<u64>,
    /// The header is behind: another oops is another report.
    has_header: bool,
    has_trace: bool,
    pub(super) has_end: bool,
    strangers: usize,
    /// The number of the oops.
    oops: Option<u32>,
    /// The task that the first line names.
    task: Option<(String, u32)>,
}

impl Report {
    pub(super) fn new(told: Option<Told>, line: &Line<'_>) -> Self {
        Self {
            task: task_of(line.text),
            cpu: told.as_ref().and_then(|_| cpu_of(line.text)),
            told,
            at: line.into(),
            caller: line.caller.map(str::to_owned),
            lines: vec![cut(line.text).to_owned()],
            bytes: 0,
            last_ns: line.since_boot,
            has_header: false,
            has_trace: false,
            has_end: false,
            strangers: 0,
            oops: number_behind(line.text, "[#"),
        }
    }

    pub(super) fn bit(&self) -> Option<u32> {
        self.told.as_ref().map(|told| told.bit)
    }

    /// Whether another line that tells of a flag is one more line of this report: an oops has two or three, a machine
    /// check one for each bank.
    pub(super) fn takes(&self, told: &Told, text: &str) -> bool {
        match self.bit() {
            Some(DIE) => {
                // Its number comes last of these lines; a console can show it twice.
                let is_next = self.oops.is_some() && self.oops != number_behind(text, "[#");
                told.bit == DIE && !self.has_header && !self.has_end && !is_next
            }
            Some(MACHINE_CHECK) => told.bit == MACHINE_CHECK && told.report,
            _ => false,
        }
    }

    /// Whether another report is of the same task: this one is behind. In old kernels the idle tasks of all CPUs are
    /// called `swapper`, since 3.3 with the number of the CPU.
    pub(super) fn has_task_of(&self, other: &Self) -> bool {
        self.task == other.task
            && self
                .task
                .as_ref()
                .is_some_and(|(comm, _)| comm != "swapper")
    }

    /// Whether a line that names a CPU can be of this report, which has named none.
    pub(super) fn can_take(&self, text: &str) -> bool {
        let is_other = |task: &(String, u32)| task_of(text).is_some_and(|named| named != *task);
        self.cpu.is_none() && !self.task.as_ref().is_some_and(is_other)
    }

    /// A flag that a `WARN_TAINT` sets in place of W: the text stands behind the header.
    pub(super) fn takes_text_of(&self, told: &Told) -> bool {
        self.bit() == Some(WARN)
            && !told.report
            && matches!(told.bit, 2 | 10 | 11)
            && !self.has_header
    }

    /// Whether too long a time lies between this report and a line.
    pub(super) fn is_over_at(&self, line: &Line<'_>) -> bool {
        matches!((self.last_ns, line.since_boot), (Some(last), Some(now)) if now > last.saturating_add(PAUSE_NS))
    }

    /// Adds a line; `false` when the report is complete.
    pub(super) fn add(&mut self, line: &Line<'_>) -> bool {
        let text = cut(line.text);
        if text == CUT_HERE || text == ARM_CUT_HERE {
            return !self.has_end;
        }
        self.last_ns = line.since_boot.or(self.last_ns);
        if !self.at.has_time() {
            // The first line lost its time: the next was written in the same moment.
            self.at = Moment {
                number: self.at.number,
                ..line.into()
            };
        }
        if self.is_stranger(text) {
            self.strangers += 1;
            if self.strangers >= STRANGERS || self.ends_without_mark() {
                self.drop_strangers();
                return false;
            }
        } else {
            self.strangers = 0;
        }
        self.note(text);
        self.lines.push(text.to_owned());
        self.bytes += text.len();
        let is_rule = text.len() > 20 && text.bytes().all(|byte| byte == b'=');
        let complete = self.lines.len() >= MOST
            || self.bytes >= MOST_BYTES
            || text.starts_with("---[ end Kernel panic")
            || (self.has_end && !self.lingers())
            || (is_rule && self.is_sanitizers());
        !complete
    }

    /// What stood between the cut mark and this report, which is its text: behind its first line, as older kernels print it.
    pub(super) fn explain(&mut self, lines: Vec<String>) {
        self.lines.extend(lines);
    }

    /// Goes on in the line that was broken.
    pub(super) fn go_on(&mut self, text: &str) {
        if let Some(last) = self.lines.last_mut()
            && last.len() + text.len() < LONGEST
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

    fn is_stranger(&self, text: &str) -> bool {
        (self.has_trace || self.has_end)
            && !is_part(text)
            && !text.starts_with(PANIC)
            && text != LOCKDEP_OFF
    }

    /// Reports that have no end mark: the first line that is no part of the trace is behind them.
    fn ends_without_mark(&self) -> bool {
        let told = self.told.as_ref();
        let has_mark = told.is_some_and(|told| {
            matches!(told.bit, DIE | WARN) && told.place.is_none_or(|place| place == "die")
        });
        !has_mark && !self.is_sanitizers()
    }

    fn is_sanitizers(&self) -> bool {
        let place = self.told.as_ref().and_then(|told| told.place);
        matches!(
            place,
            Some("end_report" | "kfence_report_error" | "kmsan_report")
        )
    }

    /// Whether a panic can follow the end mark.
    fn lingers(&self) -> bool {
        matches!(self.bit(), Some(DIE | MACHINE_CHECK | SOFT_LOCKUP))
    }

    fn drop_strangers(&mut self) {
        let kept = self.lines.len().saturating_sub(self.strangers - 1);
        self.lines.truncate(kept.max(1));
    }

    /// The report as far as it came.
    pub(super) fn sighting(mut self, host: Option<&str>, boot: &Boot) -> Sighting {
        let facts = Facts::read_of(&self.lines, self.caller.as_deref());
        // The first line may have been broken when it was read, and the release unknown.
        let release = boot.release.as_deref().or(facts.release.as_deref());
        let release = release.and_then(Release::parse);
        let first = self.lines.first().map(String::as_str).unwrap_or_default();
        let mut what = What::State;
        if let Some(mut told) = self.told.take() {
            if let Some(again) = told_on(first, release) {
                told.code = again.code;
                told.module = again.module;
                what = What::Told(told);
            } else if told_on(first, None).is_none() {
                what = What::Told(told);
            }
        }
        Sighting {
            what,
            host: host.map(str::to_owned),
            boot: boot.clone(),
            at: self.at,
            lines: self.lines,
            facts,
        }
    }
}

fn task_of(text: &str) -> Option<(String, u32)> {
    let (comm, pid) = named(cut(text).trim_start())?;
    Some((comm.to_owned(), pid))
}

/// At most so much of a line, at a character's border.
pub(super) fn cut(text: &str) -> &str {
    let text = text.trim_end();
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
