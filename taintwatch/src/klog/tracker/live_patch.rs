//! The flag of live patches, which older frameworks set for a patch that they name behind it.
//!
//! In: the line of the flag, and the lines that follow. Out: the finding, with the patch module where a line names it: the
//! flag belongs to the patch, and not to the framework.

use crate::{
    klog::{Finding, Line, What, line::cut, pause},
    taint::log::{self, Printer},
};

/// The name comes within so many lines.
const MOST: usize = 8;

#[derive(Debug)]
pub(super) struct LivePatch {
    framework: &'static str,
    finding: Finding,
    lines: usize,
}

impl LivePatch {
    pub(super) fn new(framework: &'static str, finding: Finding) -> Self {
        Self {
            framework,
            finding,
            lines: 0,
        }
    }

    /// Takes a line; whether no further one can name the patch.
    pub(super) fn is_over_with(&mut self, line: &Line<'_>) -> bool {
        self.lines += 1;
        if let Some(name) = log::live_patch(self.framework, line.text) {
            if let What::TaintLine(taint_line) = &mut self.finding.what {
                taint_line.module = Some(name.to_owned());
                taint_line.printer = Printer::Loader;
            }
            self.finding.lines.push(cut(line.text.trim()).to_owned());
            return true;
        }
        self.lines >= MOST || pause::lies_between(&self.finding.at, line)
    }

    pub(super) fn finding(self) -> Finding {
        self.finding
    }
}
