//! What the words and marks of a report mean.
//!
//! In: the events of the report. Out: a line for each word and mark that is used.

use super::super::{
    format,
    layout::Layout,
    scope::Scope,
    style::{BOLD, NEUTRAL},
};
use crate::event::{Event, Kind};

/// Where the explanations begin.
const COLUMN: usize = 14;

/// Prints the legend.
pub(super) fn print(scope: &Scope<'_, '_>, layout: &mut Layout) {
    let events = scope.boots.iter().flat_map(|boot| &boot.events).copied();
    let events: Vec<_> = events.filter(|event| scope.shows(event)).collect();
    let causes = events.iter().filter_map(|event| event.cause.as_ref());
    let mut used: Vec<_> = causes.map(|cause| cause.confidence).collect();
    used.sort();
    used.dedup();
    let repeats = events.iter().any(|event| is_repeat(event));
    if used.is_empty() && !repeats {
        return;
    }
    layout.blank();
    layout.title(0, "Legend");
    if repeats {
        layout.marked(
            0,
            "W +3",
            COLUMN,
            BOLD,
            "flag W was set already, and was set 3 times more",
        );
    }
    for confidence in used {
        let (word, meaning) = (confidence.as_str(), format::meaning(confidence));
        layout.marked(0, word, COLUMN, NEUTRAL, meaning);
    }
}

fn is_repeat(event: &Event) -> bool {
    let taint = event.taint.as_ref().filter(|_| event.kind == Kind::Taint);
    taint.is_some_and(|taint| taint.first == Some(false))
}
