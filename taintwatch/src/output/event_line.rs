//! One event as a line: the time, what happened to which flag, a sentence, and how it is known.
//!
//! In: an event. Out: text with colour codes; `anstream` makes it plain in a pipe. Everything that came from the kernel is
//! escaped.

use anstyle::Style;

use super::{
    escape::Escaped,
    format::first_line,
    layout::Layout,
    style::{ALARM, CAUTION, DIM, NEUTRAL},
};
use crate::{
    event::{Confidence, CoverageState, Event, Kind},
    history::{self, count},
    taint::log,
};

/// Lines of a long reason that are printed below an event.
const REASON: usize = 6;

/// An event on one line, without a newline.
#[must_use]
pub fn line(event: &Event) -> String {
    let (begin, text) = (begin(event), Escaped(&sentence(event)).to_string());
    match doubt(event) {
        Some(doubt) => format!("{begin}{text} {DIM}({doubt}){DIM:#}"),
        None => format!("{begin}{text}"),
    }
}

/// An event as a paragraph: words stay whole, and the lines of a long reason come below.
pub fn paragraph(event: &Event, layout: &mut Layout) {
    let mut text = sentence(event);
    if let Some(doubt) = doubt(event) {
        text = format!("{text} ({doubt})");
    }
    layout.hanging(&begin(event), &text);
    for line in more_of_reason(event) {
        layout.hanging("", &line);
    }
}

/// An event without its time, for a medium that has times of its own. Who reads it there may not know the marks.
#[must_use]
pub fn message(event: &Event) -> String {
    let (_, mark) = mark(event, count(event));
    let doubt = doubt(event).map_or_else(String::new, |doubt| format!(" ({doubt})"));
    let text = format!("{}{doubt}", Escaped(&sentence(event)));
    match event.kind {
        Kind::Taint => format!("kernel taint {mark}: {text}"),
        _ => text,
    }
}

/// The time and the mark, up to where the sentence begins.
fn begin(event: &Event) -> String {
    let time = time(event);
    let (style, mark) = mark(event, count(event));
    format!("{DIM}{time}{DIM:#} {style}{mark:<8}{style:#} ")
}

/// The time; of a log of the past as far as the log has it.
pub(super) fn time(event: &Event) -> String {
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

/// How it is known, where that is weaker than observed.
pub(super) fn doubt(event: &Event) -> Option<&'static str> {
    let confidence = event.cause.as_ref()?.confidence;
    (confidence != Confidence::Observed).then_some(confidence.as_str())
}

/// The flag, with how often it was set again, or a word in its place.
pub(super) fn mark(event: &Event, count: u64) -> (Style, String) {
    let taint = event.taint.as_ref();
    let by_taint = || {
        let letters = event.module.as_ref().and_then(|it| it.taints.as_deref());
        let is_tainting = letters.is_some_and(|letters| !letters.is_empty());
        if is_tainting { CAUTION } else { NEUTRAL }
    };
    match event.kind {
        Kind::Taint => {
            let first = taint.and_then(|taint| taint.first).unwrap_or(true);
            let bit = taint.and_then(|taint| taint.bit);
            let letter = taint.and_then(|taint| taint.letter);
            let flag = match (letter, bit) {
                (None, None) => "?".to_owned(),
                (letter, bit) => history::mark(bit.unwrap_or_default(), letter),
            };
            if first {
                (ALARM, flag)
            } else {
                (CAUTION, format!("{flag} +{count}"))
            }
        }
        Kind::MaskWrite => (ALARM, "mask".to_owned()),
        Kind::Lost => (ALARM, "lost".to_owned()),
        Kind::ModuleLoadFailed => (CAUTION, "failed".to_owned()),
        Kind::ModuleLoad => (by_taint(), "load".to_owned()),
        Kind::ModuleUnload => (NEUTRAL, "unload".to_owned()),
        Kind::Coverage => (DIM, "coverage".to_owned()),
    }
}

/// What happened, as a sentence; not yet escaped.
#[must_use]
pub fn sentence(event: &Event) -> String {
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
            Some(_) => ", tested on every CPU",
            None => "",
        };
        let reason = first_line(&coverage.reason);
        return format!("monitoring {state}: {reason}{tested}");
    }
    if let Some(lost) = &event.lost {
        let count = lost.count;
        let reason = first_line(&lost.reason);
        return if lost.is_detail() {
            format!("{count} occurrences counted without detail: {reason}")
        } else {
            let what = lost.what.replace('_', " ");
            let what = format!("{what} records");
            format!("{count} {} lost: {reason}", what.trim_start())
        };
    }
    module_sentence(event)
}

/// The lines of a long reason after the first, and how many more there are.
fn more_of_reason(event: &Event) -> Vec<String> {
    let reason = event.coverage.as_ref().map(|it| it.reason.as_str());
    let lines = reason.unwrap_or_default().trim().lines().skip(1);
    let mut lines: Vec<_> = lines.map(|line| line.trim().to_owned()).collect();
    let more = lines.len().saturating_sub(REASON);
    if more > 0 {
        lines.truncate(REASON);
        lines.push(format!("… {more} more lines: `--json` prints them"));
    }
    lines
}

fn module_sentence(event: &Event) -> String {
    let module = event.module.clone().unwrap_or_default();
    let is_refused = |line: &String| {
        let of = log::refused(line);
        of.is_some() && of == module.name.as_deref()
    };
    let is_refused = event.kind == Kind::ModuleLoadFailed && event.log.iter().any(is_refused);
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
    if let Some(attempt) = module.attempt {
        out = format!("{out}, in its attempt {attempt}");
    }
    if let Some(taints) = module.taints {
        out = format!("{out}, its flags: {taints}");
    }
    if is_refused {
        out = format!(
            "{out}: SUSE does not support it, and its kernel refused it (unsupported=0), without a flag"
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn degraded(reason: &str) -> Event {
        serde_json::from_value(serde_json::json!({
            "schema": 1, "id": "x", "seq": 1, "kind": "coverage", "time": "2026-01-02T03:04:05Z",
            "coverage": {"state": "degraded", "reason": reason},
        }))
        .unwrap()
    }

    #[test]
    fn a_load_that_suse_refused_says_so() {
        let failed = |log: &str| -> Event {
            serde_json::from_value(serde_json::json!({
                "schema": 1, "id": "x", "seq": 1, "kind": "module_load_failed", "log": [log],
                "module": {"name": "falcon", "errno": "ENOEXEC"},
            }))
            .unwrap()
        };
        let refused = "falcon: module not supported by SUSE, refusing to load. To override, echo 1 > /proc/sys/kernel/unsupported";
        assert_eq!(
            sentence(&failed(refused)),
            "falcon failed to load (ENOEXEC): SUSE does not support it, and its kernel refused it (unsupported=0), without a flag"
        );
        let other = "falcon: version magic '6.4.0' should be '6.5.0'";
        assert_eq!(sentence(&failed(other)), "falcon failed to load (ENOEXEC)");
    }

    #[test]
    fn a_long_reason_is_one_line_in_a_pipe_and_a_paragraph_on_a_terminal() {
        let reason = format!(
            "no hooks: load the programs\n{}",
            "0: (b7) r0 = 0\n".repeat(40)
        );
        let event = degraded(&reason);
        let plain = anstream::adapter::strip_str(&line(&event)).to_string();
        assert_eq!(
            plain,
            "2026-01-02 03:04:05.000Z coverage monitoring is degraded: no hooks: load the programs …"
        );
        let mut layout = Layout::new(70);
        paragraph(&event, &mut layout);
        let text = anstream::adapter::strip_str(&layout.text()).to_string();
        insta::assert_snapshot!(text, @r"
        2026-01-02 03:04:05.000Z coverage monitoring is degraded: no hooks:
                                          load the programs …
                                          0: (b7) r0 = 0
                                          0: (b7) r0 = 0
                                          0: (b7) r0 = 0
                                          0: (b7) r0 = 0
                                          0: (b7) r0 = 0
                                          0: (b7) r0 = 0
                                          … 34 more lines: `--json` prints
                                          them
        ");
    }

    #[test]
    fn a_load_has_the_style_of_its_flags() {
        let load = |taints: Option<&str>| -> Event {
            serde_json::from_value(serde_json::json!({
                "schema": 1, "id": "x", "seq": 1, "kind": "module_load", "module": {"name": "m", "taints": taints},
            }))
            .unwrap()
        };
        assert_eq!(mark(&load(Some("POE")), 1).0, CAUTION);
        assert_eq!(mark(&load(None), 1).0, NEUTRAL);
    }
}
