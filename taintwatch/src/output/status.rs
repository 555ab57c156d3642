//! The state of now at one glance.
//!
//! In: the mask and what the history knows of this boot. Out: a few lines that fit a terminal.

use jiff::SignedDuration;
use serde::Serialize;

use super::{
    fields, human,
    layout::Layout,
    words::{self, clock},
};
use crate::{
    coverage::{Gap, Interval},
    event::{Confidence, Event, Mask},
    history,
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
    /// The flags that this boot had at any time, as far as events tell: the mask without what was cleared.
    pub true_mask: Mask,
    /// A watch records right now.
    pub covered: bool,
    pub intervals: Vec<Interval>,
    #[serde(rename = "holes")]
    pub gaps: Vec<Gap>,
    /// Records of this boot that were lost.
    pub lost: u64,
    /// What a SUSE kernel says of its support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suse: Option<suse::Support>,
    /// Why there is no history: then nothing is known of covers, gaps and losses.
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

/// One glance: what, since when, by whom, how much was watched, and what to ask next.
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
        let since = since.map_or("before the record".to_owned(), |since| {
            format!("{since}{}", if is_timed { "" } else { " or before" })
        });
        let since = format!("({}), since {since}", status.mask.0);
        let mark = format!("tainted: {letters}");
        layout.marked(0, &mark, mark.len() + 1, human::BOLD, &since);
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
    cover(status, layout);
    if let Some(flag) = status.flags.first() {
        let bit = || flag.bit.to_string();
        let name = flag.letter.map_or_else(bit, String::from);
        let next =
            format!("`taintwatch why {name}` for the whole chain, `taintwatch report` for all");
        layout.marked(0, "next", 6, human::DIM, &next);
    }
}

fn flag(flag: &Flag, layout: &mut Layout) {
    let mark = history::mark(flag.bit, flag.letter);
    let name = flag.name.unwrap_or("a flag that is not known here");
    let Some(event) = &flag.first else {
        let unknown = format!("{name}, {}", flag.confidence.as_str());
        layout.marked(2, &mark, 5, human::BOLD, &unknown);
        return layout.line(7, "who set it is not recorded");
    };
    let again = if flag.count > 1 {
        format!(", {}", words::times(flag.count))
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
    layout.marked(2, &mark, 5, human::BOLD, &text);
    layout.line(7, &human::told(event));
}

fn tampering(status: &Status, table: &Table, layout: &mut Layout) {
    let letters = table.letters(status.cleared);
    let mark = "tampered with:";
    let text = format!("{letters} was set in this boot and is clear now");
    layout.marked(0, mark, mark.len() + 1, human::ALARM, &text);
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
        "`taintwatch report --kind mask_write` shows who wrote the mask",
    );
}

/// BootCoverage, gaps and losses, a line each.
fn cover(status: &Status, layout: &mut Layout) {
    let last = status.intervals.last();
    match last {
        Some(last) if status.covered => layout.line(0, &human::interval(last)),
        Some(last) => {
            let ended = last.ended.as_deref().unwrap_or("no watch runs");
            layout.line(0, &format!("not watched since {}: {ended}", clock(last.to)));
        }
        None => {}
    }
    let gaps: SignedDuration = status.gaps.iter().map(fields::gap_length).sum();
    let longest = status.gaps.iter().max_by_key(|gap| fields::gap_length(gap));
    if let Some(longest) = longest {
        let (number, all) = (words::number(status.gaps.len(), "gap"), words::length(gaps));
        let until = clock(longest.to);
        layout.line(
            0,
            &format!(
                "{number} in the cover, {all}; the longest until {until}: {}",
                longest.reason
            ),
        );
    }
    if status.lost > 0 {
        layout.line(
            0,
            &format!("{} records of this boot were lost", status.lost),
        );
    }
}
