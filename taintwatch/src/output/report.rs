//! The history as a text that fits a mail.
//!
//! In: the boots that were asked for. Out: a page: a head, and of each boot the timeline, the flags, the modules,
//! the cover, and what was lost; at the end what the words of confidence promise.

use anstyle::Style;

use super::{
    facts::{
        Asked, Facts, end, evidence, hole_length, hosts, interval_length, mask, module_facts, set,
    },
    human::{self, ALARM, DIM},
    paper::Paper,
    words,
};
use crate::{
    event::Kind,
    history::{self, Boot, Entry},
};

/// Prints the report.
pub fn print(asked: &Asked<'_, '_>, paper: &mut Paper) {
    head(asked, paper);
    for boot in &asked.boots {
        paper.blank();
        boot_head(boot, paper);
        flags(asked, boot, paper);
        timeline(asked, boot, paper);
        modules(asked, boot, paper);
        cover(boot, paper);
        losses(boot, paper);
    }
    promises(asked, paper);
}

const PLAIN: Style = Style::new();
/// Where the text of a fact begins.
const COLUMN: usize = 10;

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
    let length = words::between((from.time, from.boottime_ns), (to.time, to.boottime_ns));
    let (from, to) = (words::clock(from.time), words::clock(to.time));
    fact(paper, "known", &format!("{from} to {to}, {length}"));
    if let Some(end) = end(boot) {
        fact(paper, "end", end);
    }
    for jump in &boot.jumps {
        fact(paper, "clock", &set(jump));
    }
}

fn timeline(asked: &Asked<'_, '_>, boot: &Boot<'_>, paper: &mut Paper) {
    let shown = boot
        .events
        .iter()
        .copied()
        .filter(|event| asked.shows(event));
    let mut day = None;
    let mut before = Facts::new();
    for entry in history::entries(shown) {
        if day.is_none() {
            section(paper, "Timeline");
        }
        let today = words::day(entry.event.time);
        if day.as_ref() != Some(&today) {
            paper.marked(2, &today, 0, DIM, "");
            day = Some(today);
        }
        timeline_entry(&entry, &mut before, paper);
    }
}

fn section(paper: &mut Paper, title: &str) {
    paper.blank();
    paper.title(2, title);
}

fn timeline_entry(entry: &Entry<'_>, before: &mut Facts, paper: &mut Paper) {
    let event = entry.event;
    let (style, mark) = human::mark(event, entry.count());
    let mut text = human::told(event);
    if let Some(doubt) = human::doubt(event) {
        text = format!("{text} ({doubt})");
    }
    if let Some(last) = entry.again.last() {
        let until = words::time_of_day(last.time);
        text = format!("{text}; the last at {until}");
    }
    let time = words::time_of_day(event.time);
    paper.timed(&time, &mark, style, &text);
    let taint = event.taint.as_ref();
    let first = taint.and_then(|taint| taint.first) != Some(false);
    if matches!(event.kind, Kind::Taint | Kind::MaskWrite) && first {
        let facts = evidence(event);
        // The flags of one load have nearly all in common.
        let (same, other): (Facts, Facts) = facts
            .iter()
            .cloned()
            .partition(|fact| before.contains(fact));
        for (name, value) in &other {
            paper.marked(16, name, 9, DIM, value);
        }
        let same: Vec<_> = same.iter().map(|(name, _)| *name).collect();
        if !same.is_empty() {
            paper.marked(16, "", 9, DIM, &format!("{} as before", same.join(", ")));
        }
        *before = facts;
    }
}

fn flags(asked: &Asked<'_, '_>, boot: &Boot<'_>, paper: &mut Paper) {
    let shown = boot
        .flags
        .iter()
        .filter(|flag| asked.shows_any(&flag.events));
    for (number, flag) in shown.enumerate() {
        if number == 0 {
            section(paper, "Flags");
        }
        let name = flag.name.unwrap_or("no known name");
        let sure = flag.confidence.as_str();
        let text = match flag.first {
            Some(first) => {
                let when = if flag.is_timed() {
                    "first"
                } else {
                    "set before"
                };
                let (times, at) = (words::times(flag.count), words::clock(first.time));
                format!("{name}, {times}, {when} {at}, {sure}")
            }
            None if flag.count == 0 => format!("{name}, {sure}: who set it is not recorded"),
            None => format!(
                "{name}, {} more; its first setting is not recorded",
                words::times(flag.count)
            ),
        };
        paper.marked(2, &flag.mark(), 4, human::BOLD, &text);
        for reason in &flag.reasons {
            let times = if flag.reasons.len() > 1 {
                format!(" ({})", words::times(reason.count))
            } else {
                String::new()
            };
            paper.indented(6, &format!("{}{times}", human::told(reason.first)));
        }
        for event in &flag.cleared {
            let when = words::clock(event.time);
            paper.marked(
                6,
                "cleared",
                8,
                ALARM,
                &format!("{when}: {}", human::told(event)),
            );
        }
    }
}

fn modules(asked: &Asked<'_, '_>, boot: &Boot<'_>, paper: &mut Paper) {
    let shown = boot
        .modules
        .iter()
        .filter(|module| asked.shows_any(&module.events));
    for (number, module) in shown.enumerate() {
        if number == 0 {
            section(paper, "Modules");
        }
        let version = module.versions.join(", ");
        paper.marked(2, module.name, module.name.len() + 1, human::BOLD, &version);
        for (name, value) in module_facts(module) {
            paper.marked(4, name, 9, DIM, &value);
        }
        for hash in &module.hashes {
            paper.marked(4, "sha256", 7, DIM, hash);
        }
    }
}

fn cover(boot: &Boot<'_>, paper: &mut Paper) {
    let cover = &boot.cover;
    if cover.intervals.is_empty() && cover.holes.is_empty() {
        return;
    }
    section(paper, "Cover");
    for interval in &cover.intervals {
        let text = format!(
            "{} ({})",
            human::interval(interval),
            interval_length(interval)
        );
        paper.marked(2, "", 2, PLAIN, &text);
    }
    for hole in &cover.holes {
        let text = format!("{} ({})", human::hole(hole), hole_length(hole));
        paper.marked(2, "", 2, PLAIN, &text);
    }
}

fn losses(boot: &Boot<'_>, paper: &mut Paper) {
    for (number, event) in boot.losses().enumerate() {
        if number == 0 {
            section(paper, "Losses");
        }
        let when = words::clock(event.time);
        paper.indented(4, &format!("{when}: {}", human::told(event)));
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
            PLAIN,
            words::promise(confidence),
        );
    }
}
