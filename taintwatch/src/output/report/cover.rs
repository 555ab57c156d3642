//! When a boot was watched, when it was not, and which records were lost.
//!
//! In: the cover of a boot. Out: a line for each interval and each hole, and one for each loss.

use anstyle::Style;

use super::super::{
    facts::{hole_length, interval_length},
    human,
    paper::Paper,
    words,
};
use crate::history::Boot;

/// Prints what was watched and what was not.
pub(super) fn print(boot: &Boot<'_>, paper: &mut Paper) {
    let cover = &boot.cover;
    if cover.intervals.is_empty() && cover.holes.is_empty() {
        return;
    }
    paper.section(2, "Cover");
    for interval in &cover.intervals {
        let text = format!(
            "{} ({})",
            human::interval(interval),
            words::length(interval_length(interval))
        );
        paper.marked(2, "", 2, Style::new(), &text);
    }
    for hole in &cover.holes {
        let text = format!(
            "{} ({})",
            human::hole(hole),
            words::length(hole_length(hole))
        );
        paper.marked(2, "", 2, Style::new(), &text);
    }
}

/// Prints what was lost.
pub(super) fn losses(boot: &Boot<'_>, paper: &mut Paper) {
    for (number, event) in boot.losses().enumerate() {
        if number == 0 {
            paper.section(2, "Losses");
        }
        let when = words::clock(event.time);
        paper.indented(4, &format!("{when}: {}", human::told(event)));
    }
}
