//! The summary of an event that is read from a log.
//!
//! In: the parsed line, and what the rest of the report says. Out: one sentence, by the function that prints such a
//! text and not by what a letter usually means.

use super::Running;
use crate::{
    event::Class,
    taint::{
        callers::{self, Part},
        log::{self, TaintLine},
        tables::Table,
    },
};

/// What the kernel prints for the first module only (`kernel/module/main.c`): P, F, O, E, K, N.
const FIRST_ONLY: [u32; 6] = [0, 1, 12, 13, 15, 18];

/// Of a line so much is quoted.
const LONGEST_LINE: usize = 160;

/// What is known besides the flag.
pub(super) struct Around<'a> {
    pub(super) table: &'static Table,
    pub(super) code: Option<&'a str>,
    pub(super) module: Option<&'a str>,
    pub(super) running: &'a Running,
    pub(super) panic: Option<&'a str>,
    /// The flag was clear before, as far as the log shows.
    pub(super) is_first: bool,
    /// The line of the module loader: one flag has several reasons, and the text has the reason.
    pub(super) loader_text: Option<&'a str>,
    /// The line, where it is all that there is: it names the option, the register or the device.
    pub(super) line: Option<&'a str>,
}

/// The sentence.
pub(super) fn sentence(taint_line: &TaintLine, class: Class, around: &Around<'_>) -> String {
    let known = taint_line
        .place
        .and_then(|place| callers::known(place, taint_line.bit));
    let what = known.map_or_else(
        || happened(taint_line, around),
        |place| place.sentence.to_owned(),
    );
    let mut text = match (class, around.module) {
        (Class::ModuleLoad, Some(module)) => {
            format!("{what}: {module}{}", first(taint_line, around))
        }
        (Class::ModuleCode, Some(module)) => format!("{what} in code of the module {module}"),
        _ => what,
    };
    if let Some(code) = around.code {
        let comma = if known.is_some() || class == Class::ModuleCode {
            ","
        } else {
            ""
        };
        text = format!("{text}{comma} at {}", place(code, around.module));
    }
    let asked = known.is_some_and(|place| place.part == Part::Asked);
    let running = match around.running {
        Running::Task(task, _) if asked => format!(", by {} (pid {})", task.comm, task.pid),
        Running::Task(task, _) => format!(", while {} (pid {}) was running", task.comm, task.pid),
        Running::Interrupting(task, _) => {
            format!(", interrupting {} (pid {})", task.comm, task.pid)
        }
        Running::NoTask(_) => String::new(),
    };
    text += &running;
    if let Some(line) = around.line {
        let line: String = line.chars().take(LONGEST_LINE).collect();
        text = format!("{text}: \"{}\"", line.trim());
    }
    match around.panic {
        Some(panic) => format!("{text}; then it panicked: {panic}"),
        None => text,
    }
}

/// The log names only the first module, so the reader must not take it for the only one.
fn first(taint_line: &TaintLine, around: &Around<'_>) -> &'static str {
    if around.is_first && taint_line.vendor == "linux" && FIRST_ONLY.contains(&taint_line.bit) {
        ", the first one; the kernel names no later ones"
    } else {
        ""
    }
}

fn happened(taint_line: &TaintLine, around: &Around<'_>) -> String {
    let bit = taint_line.bit;
    if let Some(happened) = around.loader_text.and_then(|text| log::loaded(text, bit)) {
        return happened.to_owned();
    }
    around.table.flag(bit).map_or_else(
        || format!("bit {bit} was set"),
        |flag| flag.happened.to_owned(),
    )
}

/// `symbol+0x1/0x2 [module]`.
pub(super) fn place(code: &str, module: Option<&str>) -> String {
    module.map_or_else(|| code.to_owned(), |module| format!("{code} [{module}]"))
}
