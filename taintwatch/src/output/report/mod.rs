//! The history as a text that fits a mail.
//!
//! In: the boots that were asked for. Out: a page: a head, and of each boot the timeline, the flags, the modules,
//! the cover, and what was lost; at the end what the words of confidence promise.

mod cover;
mod flags;
mod modules;
#[cfg(test)]
mod tests;
mod timeline;

use anstyle::Style;

use super::{
    facts::{Asked, end, hosts, mask, set},
    human::DIM,
    paper::Paper,
    words,
};
use crate::history::Boot;

/// Where the text of a fact begins.
const COLUMN: usize = 10;

/// Prints the report.
pub fn print(asked: &Asked<'_, '_>, paper: &mut Paper) {
    head(asked, paper);
    for boot in &asked.boots {
        paper.blank();
        boot_head(boot, paper);
        flags::print(asked, boot, paper);
        timeline::print(asked, boot, paper);
        modules::print(asked, boot, paper);
        cover::print(boot, paper);
        cover::losses(boot, paper);
    }
    promises(asked, paper);
}

fn fact(paper: &mut Paper, name: &str, text: &str) {
    paper.marked(0, name, COLUMN, DIM, text);
}

fn head(asked: &Asked<'_, '_>, paper: &mut Paper) {
    paper.title(0, "What tainted this kernel");
    for host in hosts(&asked.boots) {
        fact(paper, "machine", host);
    }
    fact(paper, "asked", &asked.what);
    let made = words::clock(asked.made);
    let version = env!("CARGO_PKG_VERSION");
    fact(
        paper,
        "made",
        &format!("{made} by taintwatch {version}; all times are UTC"),
    );
    fact(paper, "history", &asked.size());
    if asked.events() == 0 {
        paper.indented(0, "the history has no such event");
    }
}

fn boot_head(boot: &Boot<'_>, paper: &mut Paper) {
    match boot.id {
        Some(id) => paper.title(0, &format!("Boot {id}")),
        None => paper.title(0, "Boot not known"),
    }
    if !boot.releases.is_empty() {
        fact(paper, "kernel", &boot.releases.join(", "));
    }
    fact(paper, "flags", &mask(boot));
    let (from, to) = (boot.from, boot.to);
    let length = words::length(words::between(
        (from.time, from.boottime_ns),
        (to.time, to.boottime_ns),
    ));
    let (from, to) = (words::clock(from.time), words::clock(to.time));
    fact(paper, "known", &format!("{from} to {to}, {length}"));
    if let Some(end) = end(boot) {
        fact(paper, "end", end);
    }
    for jump in &boot.jumps {
        fact(paper, "clock", &set(jump));
    }
}

fn promises(asked: &Asked<'_, '_>, paper: &mut Paper) {
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
    paper.blank();
    paper.title(0, "How it is known");
    for confidence in used {
        paper.marked(
            0,
            confidence.as_str(),
            14,
            Style::new(),
            words::promise(confidence),
        );
    }
}
