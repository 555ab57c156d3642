//! Events as lines for people.
//!
//! In: an event. Out: text with colour codes; whoever prints it through `anstream` gets plain text in
//! a pipe. Everything that came from the kernel is escaped.

use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;

use super::escape::Escaped;
use crate::{
    cover::{Hole, Interval},
    event::{Confidence, CoverageState, Event, Kind, Time},
};

pub const DIM: Style = Style::new().dimmed();
pub const BOLD: Style = Style::new().bold();
pub const ALARM: Style = AnsiColor::Red.on_default().bold();
const TAINTED: Style = AnsiColor::Red.on_default().bold();
const AGAIN: Style = AnsiColor::Yellow.on_default();
pub const GOOD: Style = AnsiColor::Green.on_default();

/// An event on one line, without a newline.
#[must_use]
pub fn line(event: &Event) -> String {
    let time = moment(event);
    let (style, mark) = mark(event);
    let confidence = event.cause.as_ref().map(|cause| cause.confidence);
    let doubt = match confidence {
        None | Some(Confidence::Observed) => String::new(),
        Some(weaker) => format!(" {DIM}({}){DIM:#}", weaker.as_str()),
    };
    format!(
        "{DIM}{time}{DIM:#} {style}{mark:<6}{style:#} {}{doubt}",
        told(event)
    )
}

/// The time; of a log of the past as far as the log has it.
fn moment(event: &Event) -> String {
    if !event.time.is_unknown() {
        return event.time.0.strftime("%Y-%m-%d %H:%M:%S%.3fZ").to_string();
    }
    match (&event.stamp, event.boottime_ns) {
        (Some(stamp), _) => format!("{:<24}", Escaped(stamp).to_string()),
        (None, Some(ns)) => format!(
            "[{:>5}.{:06}]",
            ns / 1_000_000_000,
            ns % 1_000_000_000 / 1000
        ),
        (None, None) => "time unknown".to_owned(),
    }
}

/// The flag, or a word in its place.
fn mark(event: &Event) -> (Style, String) {
    let taint = event.taint.as_ref();
    match event.kind {
        Kind::Taint => {
            let first = taint.and_then(|taint| taint.first).unwrap_or(true);
            let letter = taint.and_then(|taint| taint.letter).map(String::from);
            let bit = || {
                taint
                    .and_then(|taint| taint.bit)
                    .map_or("?".to_owned(), |bit| format!("[{bit}]"))
            };
            let letter = letter.unwrap_or_else(bit);
            if first {
                (TAINTED, letter)
            } else {
                let count = taint.and_then(|taint| taint.count).unwrap_or(1);
                (AGAIN, format!("{letter} +{count}"))
            }
        }
        Kind::MaskWrite => (TAINTED, "mask".to_owned()),
        Kind::Lost => (TAINTED, "lost".to_owned()),
        Kind::ModuleLoadFailed => (AGAIN, "failed".to_owned()),
        Kind::ModuleLoad => (GOOD, "load".to_owned()),
        Kind::ModuleUnload => (GOOD, "unload".to_owned()),
        Kind::Coverage => (DIM, "watch".to_owned()),
    }
}

/// What happened, as a sentence.
fn told(event: &Event) -> String {
    if let Some(cause) = &event.cause {
        return Escaped(&cause.summary).to_string();
    }
    if let Some(coverage) = &event.coverage {
        let state = match coverage.state {
            CoverageState::Began => "began",
            CoverageState::Ended => "ended",
            CoverageState::Degraded => "is degraded",
        };
        let tested = match &coverage.self_test {
            Some(tested) if tested.starts_with("unproven") => String::new(),
            Some(_) => ", proven on every CPU".to_owned(),
            None => String::new(),
        };
        return format!("the watch {state}: {}{tested}", Escaped(&coverage.reason));
    }
    if let Some(lost) = &event.lost {
        let what = match lost.what.as_str() {
            "detail" => "occurrences are counted without their detail",
            _ => "records are lost",
        };
        return format!("{} {what}: {}", lost.count, Escaped(&lost.reason));
    }
    module_sentence(event)
}

fn module_sentence(event: &Event) -> String {
    let module = event.module.clone().unwrap_or_default();
    let name = module
        .name
        .unwrap_or_else(|| "a module that has no name yet".to_owned());
    let mut out = Escaped(&name).to_string();
    let verb = match event.kind {
        Kind::ModuleLoadFailed => "failed to load",
        Kind::ModuleUnload => "was unloaded",
        _ => "was loaded",
    };
    if let Some(version) = module.version {
        out = format!("{out} {}", Escaped(&version));
    }
    out = format!("{out} {verb}");
    if let Some(errno) = module.errno {
        out = format!("{out} ({errno})");
    }
    if let Some(task) = &event.task {
        out = format!("{out} by {} (pid {})", Escaped(&task.comm), task.pid);
    }
    if let Some(taints) = module.taints {
        out = format!("{out}, its flags: {taints}");
    }
    out
}

/// A watched interval on one line.
#[must_use]
pub fn interval(interval: &Interval) -> String {
    let (from, to) = (clock(interval.from), clock(interval.to));
    let how = Escaped(&interval.how).to_string();
    let kind = if interval.full {
        "watched"
    } else {
        "watched in part"
    };
    match &interval.ended {
        None => format!("{kind} since {from}: {how}"),
        Some(ended) => format!("{kind} {from} to {to}: {how}; {}", Escaped(ended)),
    }
}

/// An interval without cover on one line.
#[must_use]
pub fn hole(hole: &Hole) -> String {
    format!(
        "not watched {} to {}: {}",
        clock(hole.from),
        clock(hole.to),
        Escaped(&hole.reason)
    )
}

fn clock(time: Time) -> String {
    time.0.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// An event with its evidence, several lines, each ended.
#[must_use]
pub fn block(event: &Event) -> String {
    let mut out = line(event) + "\n";
    let mut detail = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        _ = writeln!(out, "    {DIM}{name:<10}{DIM:#} {}", Escaped(value));
    };
    if let Some(task) = &event.task {
        let command = if task.cmdline.is_empty() {
            task.comm.clone()
        } else {
            task.cmdline.join(" ")
        };
        let uid = task
            .uid
            .map_or_else(String::new, |uid| format!(", uid {uid}"));
        detail("task", &format!("{command} (pid {}{uid})", task.pid));
    }
    if let Some(caller) = &event.caller {
        detail("code", caller);
    }
    if let (Some(cause), Kind::Taint | Kind::MaskWrite) = (&event.cause, event.kind) {
        let masks = event
            .taint
            .as_ref()
            .and_then(|taint| Some((taint.mask_before?, taint.mask_after?)));
        if let Some((before, after)) = masks {
            detail("mask", &format!("{before} -> {after}"));
        }
        detail("known by", cause.confidence.as_str());
    }
    out
}
