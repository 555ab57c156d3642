//! The log of one machine: its boots, and the reports that are open in it.
//!
//! Reports of two CPUs can stand between each other. Where the log names the writer of each line they are told apart
//! by that; else, while two are open, a line goes to the one whose CPU it names, and to none otherwise.

use super::{
    Boot, Facts, Line, Sighting, What,
    clock::Clock,
    marks::{BOOT, CFI, CUT_HERE, END, LOCKDEP_OFF, MODULES, PANIC, UNLOADED, cpu_of, may_matter},
    report::{Report, cut},
};
use crate::taint::{
    log::{Told, told_on},
    release::Release,
};

/// More reports are not followed at once.
const MOST_OPEN: usize = 4;
/// A report's text in front of it has no more lines.
const MOST_BEFORE: usize = 4;
/// The first line of a kernel comes within so many lines of the clock's beginning.
const EARLY: u64 = 64;

#[derive(Debug, Default)]
pub(super) struct Tracker {
    host: Option<String>,
    boot: Boot,
    release: Option<Release>,
    has_begun: bool,
    lines_of_boot: u64,
    clock: Clock,
    open: Vec<Report>,
    /// Which open report took the last line, for lines that go on.
    last: Option<usize>,
    /// Lines behind a cut mark, before the report that they belong to; and who wrote the mark.
    cut: Option<(Option<String>, Vec<String>)>,
    /// A failure of control-flow integrity was told, and its WARN is to come.
    cfi: bool,
}

impl Tracker {
    pub(super) fn new(host: Option<&str>) -> Self {
        Self {
            host: host.map(str::to_owned),
            ..Self::default()
        }
    }

    pub(super) fn push(&mut self, line: &Line<'_>, out: &mut Vec<Sighting>) {
        self.lines_of_boot += 1;
        let matters = may_matter(line.text.as_bytes());
        self.boundary(line, matters, out);
        self.has_begun = true;
        if self.open.is_empty() && !matters && self.cut.is_none() {
            return;
        }
        self.expire(line, out);
        if !matters && self.is_before_a_report(line) {
            return;
        }
        let text = line.text.trim();
        let told = if matters { told_on(text, None) } else { None };
        if text == CUT_HERE {
            self.cut = Some((line.caller.map(str::to_owned), Vec::new()));
        }
        // A report that begins there is no rest of the line before.
        if line.continues && !self.open.is_empty() && told.as_ref().is_none_or(|told| !told.report)
        {
            self.go_on(line.text);
            return;
        }
        match told {
            Some(told) => self.told(told, line, out),
            None => self.plain(text, line, out),
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<Sighting>) {
        self.last = None;
        for report in std::mem::take(&mut self.open) {
            self.emit(report, out);
        }
    }

    /// Another boot: its first line, another id, or the clock began anew.
    fn boundary(&mut self, line: &Line<'_>, matters: bool, out: &mut Vec<Sighting>) {
        let text = line.text.trim_start();
        let first = matters && text.starts_with(BOOT);
        let other_id = line.boot_id.is_some() && line.boot_id != self.boot.id.as_deref();
        let back = self.clock.goes_back(line);
        let already = first
            && self.boot.release.is_none()
            && self.lines_of_boot <= EARLY
            && !back
            && !other_id;
        let begins = self.has_begun && (other_id || back || (first && !already));
        if begins {
            self.finish(out);
            self.boot = Boot {
                ordinal: self.boot.ordinal + 1,
                ..Boot::default()
            };
            self.lines_of_boot = 0;
            self.clock.restart(line);
            self.release = None;
            self.cut = None;
        }
        if let Some(id) = line.boot_id.filter(|_| self.boot.id.is_none()) {
            self.boot.id = Some(cut(id).to_owned());
        }
        if first {
            let release = text
                .strip_prefix(BOOT)
                .and_then(|rest| rest.split(' ').next());
            self.boot.release = release.map(str::to_owned);
            self.release = release.and_then(Release::parse);
        }
        if begins || first {
            out.push(self.single(What::Boot, line));
        }
    }

    fn told(&mut self, told: Told, line: &Line<'_>, out: &mut Vec<Sighting>) {
        // Whose oops goes on is not known while two are open: it is none of its own.
        let goes_on = || {
            let takes = |report: &Report| line.caller.is_none() && report.takes(&told, line.text);
            self.open.iter().rposition(takes)
        };
        if let Some(index) = self.of_writer(line).or_else(goes_on) {
            let report = self.open.get_mut(index);
            if let Some(report) = report {
                if report.takes(&told, line.text) {
                    self.add(index, line, out);
                    return;
                }
                if report.takes_text_of(&told) {
                    if let Some(of_report) = &mut report.told {
                        of_report.bit = told.bit;
                        of_report.place = told.place;
                    }
                    self.add(index, line, out);
                    return;
                }
            }
        }
        if !told.report {
            if told_on(line.text.trim(), self.release).is_some() {
                out.push(self.single(What::Told(told), line));
            }
            return;
        }
        self.begin(Some(told), line, out);
    }

    fn begin(&mut self, mut told: Option<Told>, line: &Line<'_>, out: &mut Vec<Sighting>) {
        if let Some(told) = told.as_mut().filter(|told| told.bit == 9)
            && std::mem::take(&mut self.cfi)
        {
            // `report_cfi_failure` passes no flag, which is bit 0 (kernel/cfi.c).
            told.bit = 0;
            told.place = Some("report_cfi_failure");
        }
        let mut new = Report::new(told, line);
        if let Some((caller, lines)) = self.cut.take()
            && caller.as_deref() == line.caller
        {
            new.explain(lines);
        }
        // What the same writer, or the same CPU, had open is behind; so is what had its end.
        let is_over = |report: &Report| {
            report.has_end
                || (new.caller.is_some() && report.caller == new.caller)
                || (new.cpu.is_some() && report.cpu == new.cpu)
                || report.has_task_of(&new)
        };
        let (over, mut open): (Vec<_>, Vec<_>) = std::mem::take(&mut self.open)
            .into_iter()
            .partition(is_over);
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

    /// From 4.13 on the text of a WARN stands in front of it, behind the cut mark (`__warn_printk`, `kernel/panic.c`).
    fn is_before_a_report(&mut self, line: &Line<'_>) -> bool {
        let is_free = self.open.iter().all(|report| report.has_end);
        let Some((caller, lines)) = &mut self.cut else {
            return false;
        };
        if caller.as_deref() != line.caller {
            return false;
        }
        let is_its = is_free && lines.len() < MOST_BEFORE;
        if is_its {
            lines.push(cut(line.text.trim()).to_owned());
        } else {
            self.cut = None;
        }
        is_its
    }

    fn plain(&mut self, text: &str, line: &Line<'_>, out: &mut Vec<Sighting>) {
        if text.starts_with(CFI) {
            self.cfi = true;
            return;
        }
        if let Some(index) = self.of_writer(line) {
            self.add(index, line, out);
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
                out.push(self.single(What::State, line));
            }
        } else if text.starts_with(END) && self.open.iter().all(|report| report.caller.is_none()) {
            // Whose end it is cannot be told: the oldest has waited longest.
            let oldest = self.open.remove(0);
            self.last = None;
            self.emit(oldest, out);
        }
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
                        .position(|report| report.can_take(line.text))
                };
                let named = self.open.iter().position(|report| report.cpu == Some(cpu));
                named.or_else(unnamed)
            }
        }
    }

    fn add(&mut self, index: usize, line: &Line<'_>, out: &mut Vec<Sighting>) {
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

    fn go_on(&mut self, text: &str) {
        if let Some(report) = self.last.and_then(|last| self.open.get_mut(last)) {
            report.go_on(text);
        }
    }

    fn expire(&mut self, line: &Line<'_>, out: &mut Vec<Sighting>) {
        if self.open.iter().any(|report| report.is_over_at(line)) {
            let (over, open) = std::mem::take(&mut self.open)
                .into_iter()
                .partition(|report| report.is_over_at(line));
            self.open = open;
            self.last = None;
            for report in Vec::from_iter::<Vec<_>>(over) {
                self.emit(report, out);
            }
        }
    }

    fn emit(&mut self, report: Report, out: &mut Vec<Sighting>) {
        let mut sighting = report.sighting(self.host.as_deref(), &self.boot);
        if self.boot.release.is_none()
            && let Some(release) = &sighting.facts.release
        {
            self.boot.release = Some(release.clone());
            self.release = Release::parse(release);
            sighting.boot.release.clone_from(&self.boot.release);
        }
        out.push(sighting);
    }

    fn single(&self, what: What, line: &Line<'_>) -> Sighting {
        let lines = vec![cut(line.text.trim()).to_owned()];
        // What the first line of a boot says beside belongs to its own sighting.
        let facts = match what {
            What::Boot => Facts::default(),
            _ => Facts::read(&lines),
        };
        let mut what = what;
        if let (What::Told(told), Some(release)) = (&mut what, self.release)
            && let Some(again) = told_on(line.text.trim(), Some(release))
        {
            told.bit = again.bit;
        }
        Sighting {
            what,
            host: self.host.clone(),
            boot: self.boot.clone(),
            at: line.into(),
            facts,
            lines,
        }
    }
}
