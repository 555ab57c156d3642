//! What happened in a boot, event by event and day by day, and as counts what has no room.
//!
//! In: the entries to show, and groups of the others. Out: a line or more for each; repeats are one, and evidence that is
//! the same as at the event before is not printed again.

use super::super::{
    event_line,
    fields::{Fields, evidence},
    format,
    layout::Layout,
    selection::{Rest, Selected},
    style::DIM,
};
use crate::{event::Kind, history::Entry};

/// Prints the timeline.
pub(super) fn print(selected: &Selected<'_>, layout: &mut Layout) {
    let mut day = None;
    let mut before = Fields::new();
    for entry in &selected.entries {
        if day.is_none() {
            layout.section(2, "Timeline");
        }
        let today = format::day(entry.event.time);
        if day.as_ref() != Some(&today) {
            layout.marked(2, &today, 0, DIM, "");
            day = Some(today);
        }
        event(entry, &mut before, layout);
    }
    rest(&selected.rest, layout);
}

fn event(entry: &Entry<'_>, before: &mut Fields, layout: &mut Layout) {
    let event = entry.event;
    let (style, mark) = event_line::mark(event, entry.count());
    let mut text = event_line::sentence(event);
    if let Some(doubt) = event_line::doubt(event) {
        text = format!("{text} ({doubt})");
    }
    if let Some(last) = entry.again.last() {
        let until = format::time_of_day(last.time);
        text = format!("{text}; the last at {until}");
    }
    let time = format::time_of_day(event.time);
    layout.timed(&time, &mark, style, &text);
    let taint = event.taint.as_ref();
    let first = taint.and_then(|taint| taint.first) != Some(false);
    if matches!(event.kind, Kind::Taint | Kind::MaskWrite) && first {
        let fields = evidence(event);
        // The flags of one load have nearly all in common.
        let (same, other): (Fields, Fields) = fields
            .iter()
            .cloned()
            .partition(|field| before.contains(field));
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

/// The events that are not shown one by one, by flag, cause and module.
fn rest(rest: &Rest<'_>, layout: &mut Layout) {
    if rest.events == 0 {
        return;
    }
    let title = format!(
        "{} not shown one by one",
        format::number(rest.events, "more event")
    );
    layout.section(2, &title);
    for group in &rest.groups {
        let (style, mark) = event_line::mark(group.first, group.count);
        let text = event_line::sentence(group.first);
        layout.marked(2, &mark, 9, style, &format!("{text}; {}", group.extent()));
    }
    if rest.more > 0 {
        layout.indented(
            2,
            &format!(
                "and {} of other causes",
                format::number(rest.more, "more group")
            ),
        );
    }
    layout.indented(2, "`report --full` prints each, `report --json` as JSON; `--flag`, `--module`, `--kind` and `--since` narrow it");
}
