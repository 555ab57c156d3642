//! What stands between the cut mark and the report that follows it.
//!
//! In: lines behind the mark. Out: the text of the report. From 4.13 on the text of a WARN stands in front of it
//! (`__warn_printk`, `kernel/panic.c`), and shows which flag it sets in place of W where it is a `WARN_TAINT`.

use super::{Finding, Line, Moment, What, line::cut, pause};
use crate::taint::log::TaintLine;

/// A report's text in front of it has no more lines.
const MOST: usize = 4;

/// A cut mark, and what came behind it.
#[derive(Debug)]
pub(super) struct Before {
    caller: Option<String>,
    at: Moment,
    lines: Vec<String>,
    /// The mark stood there: what comes behind it is the report's text, whatever it says.
    has_mark: bool,
    /// A line that shows a flag: of the WARN that follows, or its own where none follows.
    held: Option<Box<Finding>>,
}

impl Before {
    pub(super) fn new(mark: &Line<'_>) -> Self {
        Self {
            caller: mark.caller.map(str::to_owned),
            at: mark.into(),
            lines: Vec::new(),
            has_mark: true,
            held: None,
        }
    }

    /// A text whose mark is lost.
    pub(super) fn without_mark(line: &Line<'_>) -> Self {
        Self {
            has_mark: false,
            ..Self::new(line)
        }
    }

    /// Whether it can be the text of a report: without a mark only of one whose place shows the same flag.
    pub(super) fn fits(&self, by_place: Option<u32>) -> bool {
        let held = self.held.as_ref().map(|held| &held.what);
        let bit = match held {
            Some(What::TaintLine(taint_line)) => Some(taint_line.bit),
            _ => None,
        };
        self.has_mark || bit.is_some() && bit == by_place
    }

    /// A line that shows a flag is held for a report.
    pub(super) fn waits_for_report(&self) -> bool {
        self.held.is_some()
    }

    pub(super) fn has_writer_of(&self, line: &Line<'_>) -> bool {
        self.caller.as_deref() == line.caller
    }

    /// The report does not come any more.
    pub(super) fn has_timed_out_at(&self, line: &Line<'_>) -> bool {
        pause::lies_between(&self.at, line)
    }

    /// Takes a line of the report's text; `false` when it cannot be one.
    pub(super) fn take(&mut self, line: &Line<'_>) -> bool {
        let has_room = self.lines.len() < MOST;
        if has_room {
            self.lines.push(cut(line.text.trim()).to_owned());
        }
        has_room
    }

    /// Whether a line can be the text of a `WARN_TAINT`.
    pub(super) fn can_hold(&self, taint_line: &TaintLine, line: &Line<'_>) -> bool {
        let has_room = self.held.is_none() && self.lines.len() < MOST;
        taint_line.can_be_warn_taint() && has_room && self.has_writer_of(line)
    }

    pub(super) fn hold(&mut self, line: &Line<'_>, alone: Finding) {
        if self.take(line) {
            self.held = Some(Box::new(alone));
        }
    }

    /// The text of the report that has come.
    pub(super) fn text(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// The flag that a WARN sets by its text.
    pub(super) fn flag(&mut self) -> Option<TaintLine> {
        match self.held.take()?.what {
            What::TaintLine(taint_line) => Some(taint_line),
            What::Boot | What::Refused(_) | What::State => None,
        }
    }

    /// What was held for a WARN that did not come.
    pub(super) fn alone(self) -> Option<Finding> {
        self.held.map(|held| *held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRMWARE: &str = "Your BIOS is broken; DMAR reported at address 0!";

    fn line<'a>(caller: &'a str, text: &'a str) -> Line<'a> {
        Line {
            caller: Some(caller),
            ..Line::of(text)
        }
    }

    fn taint_line(text: &str) -> TaintLine {
        TaintLine::parse(text).unwrap()
    }

    #[test]
    fn a_line_that_can_be_a_reports_text_is_held_once() {
        let mut before = Before::new(&line("T7", "------------[ cut here ]------------"));
        let firmware = taint_line(FIRMWARE);
        assert!(!before.waits_for_report());
        assert!(before.can_hold(&firmware, &line("T7", FIRMWARE)));
        assert!(
            !before.can_hold(&firmware, &line("T8", FIRMWARE)),
            "another writer"
        );
        let loads = "m: loading out-of-tree module taints kernel.";
        assert!(!before.can_hold(&taint_line(loads), &line("T7", loads)));
        let mut scanner = crate::klog::Scanner::new();
        let mut found = scanner.push(&Line::of(FIRMWARE));
        found.extend(scanner.finish());
        before.hold(&line("T7", FIRMWARE), found.remove(0));
        assert!(before.waits_for_report());
        assert!(
            !before.can_hold(&firmware, &line("T7", FIRMWARE)),
            "one is held"
        );
    }

    #[test]
    fn a_text_has_only_so_many_lines() {
        let mut before = Before::new(&line("T7", "------------[ cut here ]------------"));
        let firmware = taint_line(FIRMWARE);
        for _ in 0..MOST {
            assert!(before.can_hold(&firmware, &line("T7", FIRMWARE)));
            assert!(before.take(&line("T7", "x")));
        }
        assert!(!before.can_hold(&firmware, &line("T7", FIRMWARE)));
        assert!(!before.take(&line("T7", "x")));
    }
}
