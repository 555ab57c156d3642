//! One line of a kernel log, without its prefix.

use jiff::Timestamp;

/// No line of a kernel is longer, with all that loggers add.
pub(super) const LONGEST_LINE: usize = 64 * 1024;
/// So much of a line is kept in a report.
pub(super) const LONGEST_KEPT: usize = 4096;

/// A line as any source gives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Line<'a> {
    /// The kernel's text, without time, priority and caller.
    pub text: &'a str,
    /// The record's own number, or the number of the line in its source.
    pub number: u64,
    /// Its place among the lines of its machine, which the scanner counts: numbers of sources can be mixed.
    pub place: u64,
    /// Nanoseconds since the boot on the log's clock, which leaves suspends out.
    pub since_boot: Option<u64>,
    /// The time on the wall, where year and zone are certain.
    pub wall: Option<Timestamp>,
    /// The time as it is written, where year or zone are missing.
    pub stamp: Option<&'a str>,
    /// Who wrote it: `T77` a task, `C1` a CPU in an interrupt.
    pub caller: Option<&'a str>,
    pub host: Option<&'a str>,
    pub boot_id: Option<&'a str>,
    /// It goes on where the line before was broken: a mail that was wrapped.
    pub continues: bool,
}

impl<'a> Line<'a> {
    /// A line of which only the text is known.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }

    /// Whether its source says when it was written.
    #[must_use]
    pub fn has_time(&self) -> bool {
        self.since_boot.is_some() || self.wall.is_some() || self.stamp.is_some()
    }
}

/// When a line was written, as far as its source says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    pub number: u64,
    /// The place of the line among those of its machine.
    pub place: u64,
    pub since_boot: Option<u64>,
    pub wall: Option<Timestamp>,
    pub stamp: Option<String>,
}

impl Moment {
    /// Whether more than the number of the line is known.
    #[must_use]
    pub fn has_time(&self) -> bool {
        self.since_boot.is_some() || self.wall.is_some() || self.stamp.is_some()
    }
}

impl From<&Line<'_>> for Moment {
    fn from(line: &Line<'_>) -> Self {
        Self {
            number: line.number,
            place: line.place,
            since_boot: line.since_boot,
            wall: line.wall,
            stamp: line.stamp.map(str::to_owned),
        }
    }
}

/// At most so much of a line as a report keeps, at a character's border.
pub(super) fn cut(text: &str) -> &str {
    let text = text.trim_end();
    let mut end = text.len().min(LONGEST_KEPT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_between_characters() {
        let text = format!("a{}", "é".repeat(LONGEST_KEPT));
        assert_eq!(cut(&text).len(), LONGEST_KEPT - 1);
        assert_eq!(cut("a  "), "a");
        assert_eq!(cut(&"a".repeat(LONGEST_KEPT + 9)).len(), LONGEST_KEPT);
    }
}
