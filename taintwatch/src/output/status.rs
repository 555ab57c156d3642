//! The taint state now, on one screen.
//!
//! In: the mask and what the history knows of this boot. Out: a few lines that fit a terminal.

use jiff::SignedDuration;
use serde::Serialize;

use super::{
    coverage_line, event_line,
    format::{self, clock, first_line},
    layout::Layout,
    style,
};
use crate::{
    coverage::{Gap, Interval},
    event::{Confidence, Event, Mask},
    history::{self, Losses},
    kernel::suse,
    taint::tables::Table,
};

/// What is printed; the shape is a contract.
#[derive(Debug, Serialize)]
pub struct Status {
    pub mask: Mask,
    pub flags: Vec<Flag>,
    /// Flags that were set in this boot and are clear now: only a write past the kernel's functions does that.
    pub cleared: Mask,
    /// The flags that this boot had at any time, as far as events show: the mask with what was cleared.
    pub true_mask: Mask,
    /// The daemon monitors now.
    pub covered: bool,
    pub intervals: Vec<Interval>,
    #[serde(rename = "holes")]
    pub gaps: Vec<Gap>,
    /// All losses of this boot; `losses` has them by kind.
    pub lost: u64,
    pub losses: Losses,
    /// What a SUSE kernel says of its support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suse: Option<suse::Support>,
    /// Why there is no history: then coverage, gaps and losses are unknown.
    #[serde(rename = "history_error", skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

/// A flag that is set, and what is known of it.
#[derive(Debug, Serialize)]
pub struct Flag {
    pub bit: u32,
    pub letter: Option<char>,
    pub name: Option<&'static str>,
    pub vendor: &'static str,
    pub first: Option<Event>,
    pub count: u64,
    pub confidence: Confidence,
}

/// Prints the flags, since when and by what they were set, the coverage, and what to ask next.
pub fn print(status: &Status, table: &Table, layout: &mut Layout) {
    let is_cleared = status.mask == Mask(0) && status.cleared != Mask(0);
    if is_cleared {
        tampering(status, table, layout);
    } else if status.mask == Mask(0) {
        layout.title(0, "not tainted");
    } else {
        let letters = table.letters(status.mask);
        // Only found set: it may have been so for longer.
        let is_timed = |flag: &Flag| flag.confidence <= Confidence::Logged;
        let is_timed = status.flags.iter().all(is_timed);
        let firsts = status.flags.iter().map(|flag| flag.first.as_ref());
        let since = firsts.min_by_key(|first| first.map(|event| event.time));
        let since = since.flatten().map(|event| clock(event.time));
        let since = since.map_or("before the first record".to_owned(), |since| {
            format!("{since}{}", if is_timed { "" } else { " or before" })
        });
        let since = format!("({}), since {since}", status.mask.0);
        let mark = format!("tainted: {letters}");
        layout.marked(0, &mark, mark.len() + 1, style::BOLD, &since);
    }
    for it in &status.flags {
        flag(it, layout);
    }
    if status.cleared != Mask(0) && !is_cleared {
        tampering(status, table, layout);
    }
    if let Some(support) = &status.suse {
        layout.line(7, &support.to_string());
    }
    coverage(status, layout);
    if let Some(flag) = status.flags.first() {
        let bit = || flag.bit.to_string();
        let name = flag.letter.map_or_else(bit, String::from);
        let next =
            format!("`taintwatch why {name}` for the whole chain, `taintwatch report` for all");
        layout.marked(0, "next", 6, style::DIM, &next);
    }
}

fn flag(flag: &Flag, layout: &mut Layout) {
    let mark = history::mark(flag.bit, flag.letter);
    let name = flag.name.unwrap_or("a flag that is not known here");
    let Some(event) = &flag.first else {
        let unknown = format!("{name}, {}", flag.confidence.as_str());
        layout.marked(2, &mark, 5, style::BOLD, &unknown);
        return layout.line(7, "what set it is not recorded");
    };
    let again = if flag.count > 1 {
        format!(", {}", format::times(flag.count))
    } else {
        String::new()
    };
    // Found set: since when is not known.
    let by = if flag.confidence > Confidence::Logged {
        ", set before"
    } else {
        ""
    };
    let (how, when) = (flag.confidence.as_str(), clock(event.time));
    let text = format!("{name}{again}, {how}{by} {when}");
    layout.marked(2, &mark, 5, style::BOLD, &text);
    layout.line(7, &event_line::sentence(event));
}

fn tampering(status: &Status, table: &Table, layout: &mut Layout) {
    let letters = table.letters(status.cleared);
    let mark = "tampered with:";
    let text = format!("{letters} was set in this boot and is clear now");
    layout.marked(0, mark, mark.len() + 1, style::ALARM, &text);
    let (seen, now) = (status.true_mask, status.mask.0);
    layout.line(
        7,
        &format!(
            "true mask {} ({}), the kernel says {now}",
            seen.0,
            table.letters(seen)
        ),
    );
    layout.line(
        7,
        "`taintwatch report --kind mask_write` shows what wrote the mask",
    );
}

/// Coverage, gaps and losses, a line each.
fn coverage(status: &Status, layout: &mut Layout) {
    match status.intervals.last() {
        Some(last) if status.covered => layout.line(0, &coverage_line::interval(last)),
        Some(last) => {
            let ended = last.ended.as_deref().unwrap_or("no daemon runs");
            let since = clock(last.period.to);
            let text = format!("not monitored since {since}: {}", first_line(ended));
            layout.line(0, &text);
        }
        // The error is printed at the end, with its own advice.
        None if status.unreadable.is_some() => layout.indented(0, NOT_KNOWN),
        None => {
            layout.indented(0, NOT_MONITORED);
            let advice = "`systemctl start taintwatch`, or `taintwatch daemon` as root";
            layout.marked(0, "next", 6, style::DIM, advice);
        }
    }
    let gaps: SignedDuration = status.gaps.iter().map(|gap| gap.period.length()).sum();
    let longest = status.gaps.iter().max_by_key(|gap| gap.period.length());
    if let Some(longest) = longest {
        let number = format::number(status.gaps.len(), "coverage gap");
        let (all, until) = (format::length(gaps), clock(longest.period.to));
        let reason = first_line(&longest.reason);
        let text = format!("{number}, {all}; the longest until {until}: {reason}");
        layout.line(0, &text);
    }
    for lost in status.losses.sentences() {
        layout.line(0, &lost);
    }
}

/// What it means that there is no history, or that this user may not read it.
const NOT_KNOWN: &str = "whether this boot was monitored is not known here: a flag that was set and cleared again is not \
                         seen, nor when and by what a flag was set";
/// What it means that no daemon ran in this boot.
const NOT_MONITORED: &str = "this boot was not monitored: a flag that was set and cleared again is not seen, and when \
                             and by what a flag was set is not recorded";
