//! When a boot was watched, when it was not, and which records were lost.
//!
//! In: the cover of a boot. Out: a line for each interval and each gap, and one for each loss.

use anstyle::Style;

use super::super::{
    fields::{gap_length, interval_length},
    human,
    layout::Layout,
    words,
};
use crate::history::Boot;

/// Prints what was watched and what was not.
pub(super) fn print(boot: &Boot<'_>, layout: &mut Layout) {
    let cover = &boot.cover;
    if cover.intervals.is_empty() && cover.gaps.is_empty() {
        return;
    }
    layout.section(2, "Coverage");
    for interval in &cover.intervals {
        let text = format!(
            "{} ({})",
            human::interval(interval),
            words::length(interval_length(interval))
        );
        layout.marked(2, "", 2, Style::new(), &text);
    }
    for gap in &cover.gaps {
        let text = format!("{} ({})", human::gap(gap), words::length(gap_length(gap)));
        layout.marked(2, "", 2, Style::new(), &text);
    }
}

/// Prints what was lost.
pub(super) fn losses(boot: &Boot<'_>, layout: &mut Layout) {
    for (number, event) in boot.losses().enumerate() {
        if number == 0 {
            layout.section(2, "Losses");
        }
        let when = words::clock(event.time);
        layout.indented(4, &format!("{when}: {}", human::told(event)));
    }
}
