//! When a boot was monitored, when it was not, and which records were lost.
//!
//! In: the coverage and the losses of a boot. Out: a line for each interval, gap and loss, and totals.

use super::super::{
    coverage_line, event_line, format, layout::Layout, scope::Scope, style::NEUTRAL,
};
use crate::history::{BootHistory, Losses};

/// Prints what was monitored and what was not.
pub(super) fn print(scope: &Scope<'_, '_>, boot: &BootHistory<'_>, layout: &mut Layout) {
    let lines = coverage_line::lines(&boot.coverage, scope.limits);
    if lines.is_empty() {
        return;
    }
    layout.section(2, "Coverage");
    for (_, line) in lines {
        layout.marked(2, "", 2, NEUTRAL, &line);
    }
}

/// Prints what was lost.
pub(super) fn losses(scope: &Scope<'_, '_>, boot: &BootHistory<'_>, layout: &mut Layout) {
    let events: Vec<_> = boot.losses().collect();
    if events.is_empty() {
        return;
    }
    layout.section(2, "Losses");
    let total = Losses::of(events.iter().copied()).sentences().join(", ");
    if events.len() > 1 {
        layout.indented(4, &format!("in all: {total}"));
    }
    let (shown, more) = scope.limits.first(&events);
    for event in shown {
        let when = format::clock(event.time);
        layout.indented(4, &format!("{when}: {}", event_line::sentence(event)));
    }
    if more > 0 {
        layout.indented(4, &format!("and {}", format::number(more, "later event")));
    }
}
