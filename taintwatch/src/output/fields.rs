//! What reports print of boots, events and modules, on any medium.
//!
//! In: the history's model. Out: names and values in plain text, not yet escaped for any medium.

use super::{event_line, format, limits::Limits};
use crate::{
    event::{Event, RequestedBy},
    history::{self, BootHistory, ClockChange, End, Module, Span},
};

/// Names and values.
pub type Fields = Vec<(&'static str, String)>;

/// Every flag that the boot had, as letters and as the number.
#[must_use]
pub fn mask(boot: &BootHistory<'_>) -> String {
    let marks = boot.marks();
    if marks.is_empty() {
        "none".to_owned()
    } else {
        format!("{marks} ({})", boot.mask().0)
    }
}

/// How the boot ended, as far as it is known.
#[must_use]
pub fn end(boot: &BootHistory<'_>) -> Option<&'static str> {
    match (boot.end, boot.crash().is_some()) {
        (End::Running, _) => Some("running"),
        (End::Clean, false) => Some("monitoring was stopped"),
        (End::Clean, true) => Some("monitoring was stopped; the kernel left a crash record"),
        (End::Unclean, false) => Some("unclean: the daemon was killed or the power was lost"),
        (End::Unclean, true) => Some("unclean: the kernel left a crash record"),
        (End::NotMonitored, true) => Some("not monitored; the kernel left a crash record"),
        (End::NotMonitored, false) => None,
        (End::Open, false) => Some("not recorded: it may still run"),
        (End::Open, true) => Some("not recorded; the kernel left a crash record"),
    }
}

/// That the wall clock was set, by how much, and when.
#[must_use]
pub fn clock_change(change: &ClockChange) -> String {
    let way = if change.by.is_negative() {
        "back"
    } else {
        "ahead"
    };
    format!(
        "set {way} by {}, after {}",
        format::length(change.by),
        format::clock(change.before.time)
    )
}

/// What a first setting rests on, each with its name.
#[must_use]
pub fn evidence(event: &Event) -> Fields {
    let task = event.task.as_ref();
    let by = event.requested_by.as_ref();
    let masks = event.taint.as_ref();
    let masks = masks.and_then(|taint| Some((taint.mask_before?, taint.mask_after?)));
    let known = event.cause.as_ref().map(|cause| {
        let sources = format::sources(event);
        let by = if sources.is_empty() {
            String::new()
        } else {
            format!(": {sources}")
        };
        format!("{}{by}", cause.confidence.as_str())
    });
    let fields = [
        ("request", by.map(request)),
        ("for", by.and_then(|by| by.task.as_ref()).map(format::task)),
        ("task", task.map(format::task)),
        ("parents", task.and_then(format::ancestors)),
        ("code", event.caller.clone()),
        (
            "mask",
            masks.map(|(before, after)| format!("{before} -> {after}")),
        ),
        ("log", event.log.first().cloned()),
        ("evidence", known),
    ];
    let fields = fields.into_iter();
    fields
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

/// What is known of a module, each with its name.
#[must_use]
pub fn module_fields(module: &Module<'_>, limits: Limits) -> Fields {
    let mut fields = Fields::new();
    if !module.versions.is_empty() {
        fields.push(("version", format::list(&module.versions, limits)));
    }
    let (spans, more) = limits.first(&module.spans);
    fields.extend(spans.iter().map(|span| ("loaded", loaded(span))));
    if more > 0 {
        fields.push(("loaded", format::number(more, "more time")));
    }
    let (failed, more) = limits.first(&module.failed);
    fields.extend(failed.iter().map(|it| ("failed", event_line::sentence(it))));
    if more > 0 {
        fields.push(("failed", format::number(more, "more time")));
    }
    let set: Vec<_> = module.set.iter().map(set).collect();
    let signed = match (module.signers.is_empty(), module.unsigned) {
        (false, _) => format!("by {}", format::list(&module.signers, limits)),
        (true, true) => "no".to_owned(),
        (true, false) => String::new(),
    };
    let hidden = if module.hidden { HIDDEN } else { "" };
    for (name, value) in [
        ("flags", module.taints.clone()),
        ("set", set.join(", ")),
        ("licence", format::list(&module.licenses, limits)),
        ("signed", signed),
        ("file", format::list(&module.paths, limits)),
        ("build id", format::list(&module.build_ids, limits)),
        ("hidden", hidden.to_owned()),
    ] {
        if !value.is_empty() {
            fields.push((name, value));
        }
    }
    fields
}

/// What a hidden module is.
pub const HIDDEN: &str = "its code runs, and it is in no list of modules";

/// A flag that a module set, and how often.
fn set((bit, letter, count): &(u32, Option<char>, u64)) -> String {
    let mark = history::mark(*bit, *letter);
    if *count > 1 {
        format!("{mark} {count} times")
    } else {
        mark
    }
}

/// From when to when, as far as recorded.
#[must_use]
pub fn loaded(span: &Span) -> String {
    let from = span.from.map(|at| format::clock(at.time));
    let to = span.to.map(|at| format::clock(at.time));
    match (from, to) {
        (Some(from), Some(to)) => format!("{from} to {to}"),
        (Some(from), None) => format!("{from}, no unload recorded"),
        (None, Some(to)) => format!("before the record began, to {to}"),
        (None, None) => "before the record began, no unload recorded".to_owned(),
    }
}

/// Who needed a module: the kernel itself, or a device that udev looked for a driver for.
fn request(by: &RequestedBy) -> String {
    let alias = &by.alias;
    if by.devices.is_empty() {
        return format!("the kernel asked for {alias}");
    }
    format!(
        "udev looked for {alias}, the driver of {}",
        by.devices.join(" or ")
    )
}
