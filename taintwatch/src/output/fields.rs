//! What reports tell of boots, events and modules, whatever they are printed on.
//!
//! In: the model. Out: names and values in plain text, not yet escaped for any medium.

use std::collections::HashSet;

use jiff::SignedDuration;

use super::{human, words};
use crate::{
    coverage::{Gap, Interval},
    event::{Event, RequestedBy, Time},
    history::{self, Boot, End, Module, Span},
};

/// Names and values.
pub type Fields = Vec<(&'static str, String)>;

/// What a report is of.
#[derive(Debug)]
pub struct Asked<'h, 'a> {
    pub boots: Vec<&'h Boot<'a>>,
    /// In words, for the head.
    pub what: String,
    pub made: Time,
    /// The events that were asked for, by their sequence; none: all of them.
    pub only: Option<HashSet<u64>>,
}

impl Asked<'_, '_> {
    #[must_use]
    pub fn shows(&self, event: &Event) -> bool {
        self.only
            .as_ref()
            .is_none_or(|only| only.contains(&event.seq))
    }

    /// Something that was asked for is among these.
    #[must_use]
    pub fn shows_any(&self, events: &[&Event]) -> bool {
        self.only.is_none() || events.iter().any(|event| self.shows(event))
    }

    /// How much it shows.
    #[must_use]
    pub fn size(&self) -> String {
        let known = self.boots.iter().filter(|boot| boot.id.is_some()).count();
        let boots = words::number(known, "boot");
        let other = if known < self.boots.len() {
            " and what belongs to no known boot"
        } else {
            ""
        };
        format!("{boots}{other}, {}", words::number(self.events(), "event"))
    }

    /// How many events are shown.
    #[must_use]
    pub fn events(&self) -> usize {
        let events = self.boots.iter().flat_map(|boot| &boot.events);
        events.filter(|event| self.shows(event)).count()
    }
}

/// Every machine that the boots are of.
#[must_use]
pub fn hosts<'a>(boots: &[&Boot<'a>]) -> Vec<&'a str> {
    let mut hosts = Vec::new();
    for host in boots.iter().filter_map(|boot| boot.host) {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}

/// Every flag that the boot had, as letters and as the number.
#[must_use]
pub fn mask(boot: &Boot<'_>) -> String {
    let marks = boot.marks();
    if marks.is_empty() {
        "none".to_owned()
    } else {
        format!("{marks} ({})", boot.mask().0)
    }
}

/// How the boot ended, as far as anybody knows.
#[must_use]
pub fn end(boot: &Boot<'_>) -> Option<&'static str> {
    match (boot.end, boot.crash().is_some()) {
        (End::Running, _) => Some("it runs"),
        (End::Clean, false) => Some("the watch was stopped"),
        (End::Clean, true) => Some("the watch was stopped; the kernel left a crash record"),
        (End::Unclean, false) => Some("without a word: killed, or the machine went down"),
        (End::Unclean, true) => Some("without a word; the kernel left a crash record"),
        (End::Unwatched, true) => Some("not watched; the kernel left a crash record"),
        (End::Unwatched, false) => None,
    }
}

/// That the wall clock was set, by how much, and when.
#[must_use]
pub fn set(jump: &history::Jump) -> String {
    let way = if jump.by.is_negative() {
        "back"
    } else {
        "ahead"
    };
    format!(
        "set {way} by {}, after {}",
        words::length(jump.by),
        words::clock(jump.before.time)
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
        let sources = words::sources(event);
        let by = if sources.is_empty() {
            String::new()
        } else {
            format!(": {sources}")
        };
        format!("{}{by}", cause.confidence.as_str())
    });
    let fields = [
        ("asked", by.map(asked)),
        ("for", by.and_then(|by| by.task.as_ref()).map(words::task)),
        ("task", task.map(words::task)),
        ("above", task.and_then(words::ancestors)),
        ("code", event.caller.clone()),
        (
            "mask",
            masks.map(|(before, after)| format!("{before} -> {after}")),
        ),
        ("log", event.log.first().cloned()),
        ("known by", known),
    ];
    let fields = fields.into_iter();
    fields
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

/// What is known of a module, each with its name.
#[must_use]
pub fn module_fields(module: &Module<'_>) -> Fields {
    let mut fields = Fields::new();
    if !module.versions.is_empty() {
        fields.push(("version", module.versions.join(", ")));
    }
    for span in &module.spans {
        fields.push(("loaded", loaded(span)));
    }
    for failed in &module.failed {
        fields.push(("failed", human::told(failed)));
    }
    let set = module.set.iter().map(|(bit, letter, count)| {
        let mark = history::mark(*bit, *letter);
        if *count > 1 {
            format!("{mark} {count} times")
        } else {
            mark
        }
    });
    let set: Vec<_> = set.collect();
    let signed = match (module.signers.is_empty(), module.unsigned) {
        (false, _) => format!("by {}", module.signers.join(", ")),
        (true, true) => "no".to_owned(),
        (true, false) => String::new(),
    };
    for (name, value) in [
        ("flags", module.taints.clone()),
        ("set", set.join(", ")),
        ("licence", module.licenses.join(", ")),
        ("signed", signed),
        ("file", module.paths.join(", ")),
        ("build id", module.build_ids.join(", ")),
    ] {
        if !value.is_empty() {
            fields.push((name, value));
        }
    }
    if module.hidden {
        fields.push((
            "hidden",
            "it runs code, and is in no list of modules".to_owned(),
        ));
    }
    fields
}

/// From when to when, as far as recorded.
#[must_use]
pub fn loaded(span: &Span) -> String {
    let from = span.from.map(|at| words::clock(at.time));
    let to = span.to.map(|at| words::clock(at.time));
    match (from, to) {
        (Some(from), Some(to)) => format!("{from} to {to}"),
        (Some(from), None) => format!("{from}, no unload recorded"),
        (None, Some(to)) => format!("before the record began, to {to}"),
        (None, None) => "before the record began, no unload recorded".to_owned(),
    }
}

#[must_use]
pub fn interval_length(it: &Interval) -> SignedDuration {
    words::between((it.from, it.from_ns), (it.to, it.to_ns))
}

#[must_use]
pub fn gap_length(it: &Gap) -> SignedDuration {
    words::between((it.from, it.from_ns), (it.to, it.to_ns))
}
/// Who needed a module: the kernel itself, or a device that udev looked for a driver for.
fn asked(by: &RequestedBy) -> String {
    let alias = &by.alias;
    if by.devices.is_empty() {
        return format!("the kernel asked for {alias}");
    }
    format!(
        "udev looked for {alias}, the driver of {}",
        by.devices.join(" or ")
    )
}
