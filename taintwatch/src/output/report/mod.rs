//! The history as a text that fits a mail.
//!
//! In: the boots that were asked for. Out: a page: a head, and of each boot the timeline, the flags, the modules,
//! the cover, and what was lost; at the end what the words of confidence promise.

mod coverage;
mod flags;
mod modules;
#[cfg(test)]
mod tests;
mod timeline;

use anstyle::Style;

use super::{
    fields::{Asked, end, hosts, mask, set},
    human::DIM,
    layout::Layout,
    words,
};
use crate::history::Boot;

/// Where the text of a fact begins.
const COLUMN: usize = 10;

/// Prints the report.
pub fn print(asked: &Asked<'_, '_>, layout: &mut Layout) {
    head(asked, layout);
    for boot in &asked.boots {
        layout.blank();
        boot_head(boot, layout);
        flags::print(asked, boot, layout);
        timeline::print(asked, boot, layout);
        modules::print(asked, boot, layout);
        coverage::print(boot, layout);
        coverage::losses(boot, layout);
    }
    promises(asked, layout);
}

fn fact(layout: &mut Layout, name: &str, text: &str) {
    layout.marked(0, name, COLUMN, DIM, text);
}

fn head(asked: &Asked<'_, '_>, layout: &mut Layout) {
    layout.title(0, "What tainted this kernel");
    for host in hosts(&asked.boots) {
        fact(layout, "machine", host);
    }
    fact(layout, "asked", &asked.what);
    let made = words::clock(asked.made);
    let version = env!("CARGO_PKG_VERSION");
    fact(
        layout,
        "made",
        &format!("{made} by taintwatch {version}; all times are UTC"),
    );
    fact(layout, "history", &asked.size());
    if asked.events() == 0 {
        layout.indented(0, "the history has no such event");
    }
}

fn boot_head(boot: &Boot<'_>, layout: &mut Layout) {
    match boot.id {
        Some(id) => layout.title(0, &format!("Boot {id}")),
        None => layout.title(0, "Boot not known"),
    }
    if !boot.releases.is_empty() {
        fact(layout, "kernel", &boot.releases.join(", "));
    }
    fact(layout, "flags", &mask(boot));
    let (from, to) = (boot.from, boot.to);
    let length = words::length(words::between(
        (from.time, from.boottime_ns),
        (to.time, to.boottime_ns),
    ));
    let (from, to) = (words::clock(from.time), words::clock(to.time));
    fact(layout, "known", &format!("{from} to {to}, {length}"));
    if let Some(end) = end(boot) {
        fact(layout, "end", end);
    }
    for jump in &boot.jumps {
        fact(layout, "clock", &set(jump));
    }
}

fn promises(asked: &Asked<'_, '_>, layout: &mut Layout) {
    let events = asked.boots.iter().flat_map(|boot| &boot.events);
    let causes = events
        .filter(|event| asked.shows(event))
        .filter_map(|event| event.cause.as_ref());
    let mut used: Vec<_> = causes.map(|cause| cause.confidence).collect();
    used.sort();
    used.dedup();
    if used.is_empty() {
        return;
    }
    layout.blank();
    layout.title(0, "How it is known");
    for confidence in used {
        layout.marked(
            0,
            confidence.as_str(),
            14,
            Style::new(),
            words::promise(confidence),
        );
    }
}
