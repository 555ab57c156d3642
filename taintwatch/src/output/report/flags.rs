//! The flags of a boot: how often each was set, since when, by what, and who cleared it.
//!
//! In: the flags that an event that was asked for is of. Out: a paragraph for each.

use super::super::{
    fields::Asked,
    human::{self, ALARM},
    layout::Layout,
    words,
};
use crate::history::Boot;

/// Prints the flags.
pub(super) fn print(asked: &Asked<'_, '_>, boot: &Boot<'_>, layout: &mut Layout) {
    let shown = boot
        .flags
        .iter()
        .filter(|flag| asked.shows_any(&flag.events));
    for (number, flag) in shown.enumerate() {
        if number == 0 {
            layout.section(2, "Flags");
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
        layout.marked(2, &flag.mark(), 4, human::BOLD, &text);
        for reason in &flag.reasons {
            let times = if flag.reasons.len() > 1 {
                format!(" ({})", words::times(reason.count))
            } else {
                String::new()
            };
            layout.indented(6, &format!("{}{times}", human::told(reason.first)));
        }
        for event in &flag.cleared {
            let when = words::clock(event.time);
            layout.marked(
                6,
                "cleared",
                8,
                ALARM,
                &format!("{when}: {}", human::told(event)),
            );
        }
    }
}
