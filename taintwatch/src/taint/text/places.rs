//! One place a flag: the form in which the position decides.

use super::{Fit, KernelHint};
use crate::taint::tables::Table;

/// The places, and what stands behind them.
pub(super) struct Split<'a> {
    pub(super) places: &'a str,
    /// No place at the end can be missing.
    pub(super) whole: bool,
    /// The kernel's release, with what follows it.
    pub(super) release: &'a str,
}

/// `G        W  OE     6.1.0 #1`; `G    B )` of slub; `P      (2.6.32 #1)` of arm and powerpc; `P      VLI` of i386.
pub(super) fn split(rest: &str) -> Split<'_> {
    let is_place = |place: char| place.is_ascii_alphabetic() || matches!(place, ' ' | '-' | '?');
    let end = rest.find(|place| !is_place(place)).unwrap_or(rest.len());
    let (places, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let strip = |blanks: &str| places.strip_suffix(blanks);
    match behind.chars().next() {
        Some(first) if first.is_ascii_digit() && strip(" ").is_some() => Split {
            places: strip(" ").unwrap_or(places),
            whole: true,
            release: behind,
        },
        Some('(') => Split {
            places: strip("  ").or(strip(" ")).unwrap_or(places),
            whole: true,
            release: behind.split(['(', ')']).nth(1).unwrap_or(behind),
        },
        Some('#') => named(rest, places),
        end => Split {
            places: strip(" VLI").unwrap_or(places),
            whole: end == Some(')') || strip(" VLI").is_some(),
            release: "",
        },
    }
}

/// A release that is a name, `G     U              syzkaller #0`: the last word before the `#`.
fn named<'a>(rest: &'a str, places: &'a str) -> Split<'a> {
    let start = places.trim_end().rfind(' ');
    let split = start.and_then(|at| Some((places.get(..at)?, rest.get(at + 1..)?)));
    let (places, release) = split.unwrap_or((places, ""));
    Split {
        places,
        whole: true,
        release,
    }
}

/// The kernels that print these places.
pub(super) fn fits(split: &Split<'_>, hint: KernelHint) -> Option<Vec<Fit>> {
    // At the end of a line blanks say nothing: a log's reader may have added or taken them.
    let places = if split.whole {
        split.places
    } else {
        split.places.trim_end()
    };
    let read = |table: &'static Table| Some((table, table.read(places, split.whole)?));
    let fits: Vec<_> = hint.tables().filter_map(read).collect();
    (!fits.is_empty() && !places.is_empty()).then_some(fits)
}

/// Whether a line that begins like this has a release behind its state: if not, a mail reader cut it.
pub(super) fn is_cut(before: &str) -> bool {
    ["Comm: ", "comm: "]
        .iter()
        .any(|mark| before.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_end_where_something_else_begins() {
        for (text, places, whole, release) in [
            ("G        W   6.1.0 #1", "G        W  ", true, "6.1.0 #1"),
            ("P      VLI", "P     ", true, ""),
            ("G    B )", "G    B ", true, ""),
            ("P      (2.6.32 #1)", "P    ", true, "2.6.32 #1"),
            (
                "G     U              syzkaller #0",
                "G     U             ",
                true,
                "syzkaller #0",
            ),
            ("G        W", "G        W", false, ""),
        ] {
            let split = split(text);
            assert_eq!(
                (split.places, split.whole, split.release),
                (places, whole, release),
                "{text}"
            );
        }
    }
}
