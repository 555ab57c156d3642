//! A list of modules outside of any report, which the kernel divides into records where it is long (`cont_add`,
//! `kernel/printk/printk.c` up to 5.9, `vprintk_store` since).
//!
//! In: the line that begins it, and those behind. Out: one finding with all its modules.

use crate::klog::{Facts, Finding, Line, line::LONGEST_LINE, modules::is_list, pause};

#[derive(Debug)]
pub(super) struct List {
    state: Finding,
    caller: Option<String>,
}

impl List {
    pub(super) fn new(state: Finding, line: &Line<'_>) -> Self {
        let caller = line.caller.map(str::to_owned);
        Self { state, caller }
    }

    /// Whether a line goes on with the list: of the same writer, names only, behind a blank.
    pub(super) fn take(&mut self, line: &Line<'_>) -> bool {
        let Some(list) = self.state.lines.first_mut() else {
            return false;
        };
        let goes_on = line.text.starts_with(' ')
            && is_list(line.text)
            && self.caller.as_deref() == line.caller
            && !pause::lies_between(&self.state.at, line)
            && list.len() + line.text.len() < LONGEST_LINE;
        if goes_on {
            list.push_str(line.text.trim_end());
        }
        goes_on
    }

    pub(super) fn finding(self) -> Finding {
        let facts = Facts::read_of(&self.state.lines, self.caller.as_deref());
        Finding {
            facts,
            ..self.state
        }
    }
}
