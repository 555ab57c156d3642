//! The flags of a boot: how often each was set, since when, by what, and what cleared it.
//!
//! In: the flags that an event of the report is about. Out: a paragraph for each.

use super::super::{
    event_line::sentence,
    format,
    layout::Layout,
    scope::Scope,
    style::{ALARM, BOLD},
};
use crate::history::{BootHistory, Flag};

/// Prints the flags.
pub(super) fn print(scope: &Scope<'_, '_>, boot: &BootHistory<'_>, layout: &mut Layout) {
    let shown = boot
        .flags
        .iter()
        .filter(|flag| scope.shows_any(&flag.events));
    for (number, flag) in shown.enumerate() {
        if number == 0 {
            layout.section(2, "Flags");
        }
        layout.marked(2, &flag.mark(), 4, BOLD, &first(flag));
        causes(scope, flag, layout);
        cleared(scope, flag, layout);
    }
}

fn first(flag: &Flag<'_>) -> String {
    let name = flag.name.unwrap_or("no known name");
    let sure = flag.confidence.as_str();
    match flag.first {
        Some(first) => {
            let when = if flag.is_timed() {
                "first"
            } else {
                "set before"
            };
            let (times, at) = (format::times(flag.count), format::clock(first.time));
            format!("{name}, {times}, {when} {at}, {sure}")
        }
        None if flag.count == 0 => format!("{name}, {sure}: what set it is not recorded"),
        None => format!(
            "{name}, {} more; its first setting is not recorded",
            format::times(flag.count)
        ),
    }
}

fn causes(scope: &Scope<'_, '_>, flag: &Flag<'_>, layout: &mut Layout) {
    let (shown, _) = scope.limits.first(&flag.reasons);
    for reason in shown {
        let times = if flag.reasons.len() > 1 {
            format!(" ({})", format::times(reason.count))
        } else {
            String::new()
        };
        layout.indented(6, &format!("{}{times}", sentence(reason.first)));
    }
    if let Some(more) = more_causes(flag, shown.len()) {
        layout.indented(6, &more);
    }
}

/// What the causes after the first ones come to.
pub(crate) fn more_causes(flag: &Flag<'_>, shown: usize) -> Option<String> {
    let rest = flag.reasons.get(shown..).unwrap_or_default();
    let last = rest.iter().map(|reason| reason.last.time).max()?;
    let count = rest
        .iter()
        .fold(0, |sum: u64, reason| sum.saturating_add(reason.count));
    let causes = format::number(rest.len(), "more cause");
    let (times, last) = (format::times(count), format::clock(last));
    Some(format!("and {causes}, {times}, the last {last}"))
}

fn cleared(scope: &Scope<'_, '_>, flag: &Flag<'_>, layout: &mut Layout) {
    let (shown, more) = scope.limits.first(&flag.cleared);
    for event in shown {
        let when = format::clock(event.time);
        let text = format!("{when}: {}", sentence(event));
        layout.marked(6, "cleared", 8, ALARM, &text);
    }
    if more > 0 {
        layout.marked(6, "cleared", 8, ALARM, &format::number(more, "more time"));
    }
}
