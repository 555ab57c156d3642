//! Where in a text something stands.
//!
//! In: a text and a byte of it. Out: line and column, as editors count them.

use std::fmt;

/// Both from 1; a column is a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl Position {
    pub(super) fn of(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let last = before.rsplit('\n').next().unwrap_or_default();
        Self {
            line: before.matches('\n').count() + 1,
            column: last.chars().count() + 1,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_characters_are_counted_from_one() {
        let text = "ä = 1\nb = 2";
        let at = |byte| Position::of(text, byte).to_string();
        assert_eq!(at(0), "1:1");
        assert_eq!(at(2), "1:2", "of two bytes");
        assert_eq!(at(7), "2:1");
        assert_eq!(at(99), "2:6", "behind the end");
    }
}
