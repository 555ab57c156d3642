//! What a line is by the rules of one form, and how the forms are tried one after the other.
//!
//! In: what a form found. Out: the same, or what the next form finds, or what is behind the prefix of a logger.

use super::{super::Line, bracket};

/// What a line is by one form's rules.
pub(super) enum Parsed<'a> {
    Line(Line<'a>),
    /// Written by a program.
    Foreign,
    /// It has a time and names no writer: its text decides. `is_whole` where the text is all that can be one; else its
    /// first word may be the name of a program.
    Unclaimed {
        line: Line<'a>,
        is_whole: bool,
    },
    /// Not of this form.
    Bare(&'a str),
}

impl Parsed<'_> {
    pub(super) fn or_else(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Bare(_) => other(),
            known => known,
        }
    }

    /// The kernel's own prefix may stand behind that of a logger.
    pub(super) fn inside(self) -> Self {
        let Self::Line(outer) = self else {
            return self;
        };
        // Most lines have none.
        if !outer.text.starts_with(['[', '<']) {
            return self;
        }
        let text = bracket::priority(outer.text).map_or(outer.text, |(_, rest)| rest);
        // Of two times of the same clock the second is of the text: a guest's console, logged by its host.
        let adds = |line: &Line<'_>| outer.since_boot.is_none() || line.since_boot.is_none();
        let Some(line) = bracket::time(text).filter(adds) else {
            return Self::Line(Line { text, ..outer });
        };
        Self::Line(Line {
            since_boot: line.since_boot.or(outer.since_boot),
            stamp: outer.stamp.or(line.stamp).filter(|_| outer.wall.is_none()),
            caller: line.caller.or(outer.caller),
            text: line.text,
            ..outer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_a_loggers_prefix_adds_to_it() {
        let read = |outer: Line<'static>| match Parsed::Line(outer).inside() {
            Parsed::Line(line) => line,
            _ => panic!("a line"),
        };
        let outer = Line {
            stamp: Some("Nov 24 12:00:00"),
            host: Some("web1"),
            ..Line::of("<4>[    1.500000][T7] x")
        };
        let both = Line {
            text: "x",
            since_boot: Some(1_500_000_000),
            caller: Some("T7"),
            ..outer
        };
        assert_eq!(read(outer), both);
        let day = read(Line::of("[Nov24 12:00] x"));
        assert_eq!((day.stamp, day.text), (Some("Nov24 12:00"), "x"));
        assert_eq!(read(Line::of("<4>x")).text, "x");
        // A year and a zone say more than a day.
        let wall = jiff::Timestamp::from_second(9).ok();
        let sure = read(Line {
            wall,
            ..Line::of("[Nov24 12:00] x")
        });
        assert_eq!((sure.stamp, sure.wall), (None, wall));
        // The text of a guest's console has a clock of its own.
        let guest = read(Line {
            since_boot: Some(7),
            ..Line::of("[    1.500000] x")
        });
        assert_eq!(
            (guest.since_boot, guest.text),
            (Some(7), "[    1.500000] x")
        );
    }
}
