//! Events as lines for people.
//!
//! In: an event. Out: text with colour codes; whoever prints it through `anstream` gets plain text in
//! a pipe. Everything that came from the kernel is escaped.

use anstyle::{AnsiColor, Style};

use super::{escape::Escaped, words::clock};
use crate::{
    coverage::{Gap, Interval},
    event::{Confidence, CoverageState, Event, Kind},
    history::count,
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
    let (style, mark) = mark(event, count(event));
    let doubt = doubt(event).map_or_else(String::new, |doubt| format!(" {DIM}({doubt}){DIM:#}"));
    format!(
        "{DIM}{time}{DIM:#} {style}{mark:<6}{style:#} {}{doubt}",
        Escaped(&told(event))
    )
}

/// The time; of a log of the past as far as the log has it.
pub(super) fn moment(event: &Event) -> String {
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

/// How it is known, where that is weaker than seen.
pub(super) fn doubt(event: &Event) -> Option<&'static str> {
    let confidence = event.cause.as_ref()?.confidence;
    (confidence != Confidence::Observed).then_some(confidence.as_str())
}

/// The flag with how often it was set again, or a word in its place.
pub(super) fn mark(event: &Event, count: u64) -> (Style, String) {
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

/// What happened, as a sentence; not yet escaped.
#[must_use]
pub fn told(event: &Event) -> String {
    if let Some(cause) = &event.cause {
        return cause.summary.clone();
    }
    if let Some(coverage) = &event.coverage {
        let state = match coverage.state {
            CoverageState::Began => "began",
            CoverageState::Ended => "ended",
            CoverageState::Degraded => "is degraded",
        };
        let tested = match &coverage.self_test {
            Some(tested) if tested.starts_with("unproven") => "",
            Some(_) => ", proven on every CPU",
            None => "",
        };
        return format!("the watch {state}: {}{tested}", coverage.reason);
    }
    if let Some(lost) = &event.lost {
        let what = match lost.what.as_str() {
            "detail" => "occurrences are counted without their detail",
            _ => "records are lost",
        };
        return format!("{} {what}: {}", lost.count, lost.reason);
    }
    module_sentence(event)
}

fn module_sentence(event: &Event) -> String {
    let module = event.module.clone().unwrap_or_default();
    let mut out = module
        .name
        .unwrap_or_else(|| "a module that has no name yet".to_owned());
    let verb = match event.kind {
        Kind::ModuleLoadFailed => "failed to load",
        Kind::ModuleUnload => "was unloaded",
        _ => "was loaded",
    };
    if let Some(version) = module.version {
        out = format!("{out} {version}");
    }
    out = format!("{out} {verb}");
    if let Some(errno) = module.errno {
        out = format!("{out} ({errno})");
    }
    if let Some(task) = &event.task {
        out = format!("{out} by {} (pid {})", task.comm, task.pid);
    }
    if let Some(taints) = module.taints {
        out = format!("{out}, its flags: {taints}");
    }
    out
}

/// A watched interval on one line; not yet escaped.
#[must_use]
pub fn interval(interval: &Interval) -> String {
    let (from, to) = (clock(interval.from), clock(interval.to));
    let how = &interval.how;
    let kind = if interval.full {
        "watched"
    } else {
        "watched in part"
    };
    match &interval.ended {
        None => format!("{kind} since {from}: {how}"),
        Some(ended) => format!("{kind} {from} to {to}: {how}; {ended}"),
    }
}

/// An interval without cover on one line; not yet escaped.
#[must_use]
pub fn gap(gap: &Gap) -> String {
    format!(
        "not watched {} to {}: {}",
        clock(gap.from),
        clock(gap.to),
        gap.reason
    )
}
