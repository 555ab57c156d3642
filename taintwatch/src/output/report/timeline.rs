//! What happened in a boot, event by event and day by day.
//!
//! In: the events that were asked for. Out: a line or more for each; repeats are one, and evidence that is as it was at the
//! event before is not told again.

use super::super::{
    fields::{Asked, Fields, evidence},
    human::{self, DIM},
    layout::Layout,
    words,
};
use crate::{
    event::Kind,
    history::{self, Boot, Entry},
};

/// Prints the timeline.
pub(super) fn print(asked: &Asked<'_, '_>, boot: &Boot<'_>, layout: &mut Layout) {
    let shown = boot
        .events
        .iter()
        .copied()
        .filter(|event| asked.shows(event));
    let mut day = None;
    let mut before = Fields::new();
    for entry in history::entries(shown) {
        if day.is_none() {
            layout.section(2, "Timeline");
        }
        let today = words::day(entry.event.time);
        if day.as_ref() != Some(&today) {
            layout.marked(2, &today, 0, DIM, "");
            day = Some(today);
        }
        event(&entry, &mut before, layout);
    }
}

fn event(entry: &Entry<'_>, before: &mut Fields, layout: &mut Layout) {
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
    layout.timed(&time, &mark, style, &text);
    let taint = event.taint.as_ref();
    let first = taint.and_then(|taint| taint.first) != Some(false);
    if matches!(event.kind, Kind::Taint | Kind::MaskWrite) && first {
        let fields = evidence(event);
        // The flags of one load have nearly all in common.
        let (same, other): (Fields, Fields) = fields
            .iter()
            .cloned()
            .partition(|fact| before.contains(fact));
        for (name, value) in &other {
            layout.marked(16, name, 9, DIM, value);
        }
        let same: Vec<_> = same.iter().map(|(name, _)| *name).collect();
        if !same.is_empty() {
            layout.marked(16, "", 9, DIM, &format!("{} as before", same.join(", ")));
        }
        *before = fields;
    }
}
