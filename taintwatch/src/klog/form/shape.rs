//! The shape of what stands in front of a kernel's text, when no known form explains it.
//!
//! In: the prefix of a line that is a kernel's by its text. Out: whether another line has such a prefix, and what is
//! behind it. Numbers and names may differ, marks may not.

/// More of a prefix is not compared.
const LONGEST: usize = 96;

/// A piece of a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Blank,
    Number,
    /// Letters, with numbers or without.
    Word,
    /// This word, and no other.
    Name(String),
    Mark(char),
}

/// The pieces of a prefix, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape(Vec<Piece>);

impl Shape {
    /// `None` for a prefix that has no pieces, or too many to be one. Words alone could be the beginning of any text: without a
    /// mark they have to be the same.
    pub(super) fn of(prefix: &str) -> Option<Self> {
        let is_mark = |c: char| !c.is_whitespace() && !is_of_word(c);
        let has_marks = prefix.contains(is_mark);
        let mut pieces = Vec::new();
        let mut rest = prefix;
        while let Some((piece, behind)) = first(rest) {
            let word = rest.get(..rest.len() - behind.len())?;
            pieces.push(match piece {
                Piece::Word if !has_marks => Piece::Name(word.to_owned()),
                piece => piece,
            });
            rest = behind;
            if pieces.len() > LONGEST {
                return None;
            }
        }
        (!pieces.is_empty()).then_some(Self(pieces))
    }

    /// What stands behind a prefix of this shape.
    pub(super) fn strip<'a>(&self, line: &'a str) -> Option<&'a str> {
        let mut rest = line;
        for (place, piece) in self.0.iter().enumerate() {
            if *piece == Piece::Blank {
                // Behind the last blank a text may begin with blanks of its own.
                let is_last = place + 1 == self.0.len();
                let behind = if is_last {
                    rest.strip_prefix([' ', '\t'])
                } else {
                    Some(rest.trim_start())
                };
                // Prefixes are filled up to columns: between a mark and a number there may be none.
                rest = behind.unwrap_or(rest);
                continue;
            }
            let (found, behind) = first(rest)?;
            let fits = match piece {
                Piece::Name(name) => rest.strip_suffix(behind) == Some(name),
                Piece::Word => matches!(found, Piece::Word | Piece::Number),
                piece => found == *piece,
            };
            rest = fits.then_some(behind)?;
        }
        Some(rest)
    }
}

fn first(text: &str) -> Option<(Piece, &str)> {
    let c = text.chars().next()?;
    let (piece, behind) = if c.is_whitespace() {
        (Piece::Blank, text.trim_start())
    } else if is_of_word(c) {
        let behind = text.trim_start_matches(is_of_word);
        let word = text.get(..text.len() - behind.len())?;
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        (
            if is_number {
                Piece::Number
            } else {
                Piece::Word
            },
            behind,
        )
    } else {
        (Piece::Mark(c), text.get(c.len_utf8()..)?)
    };
    Some((piece, behind))
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_and_names_may_differ_and_marks_may_not() {
        let shape = Shape::of("2026-11-24T12:00:00Z - ").unwrap();
        assert_eq!(
            shape.strip("2026-11-24T12:00:01Z -  </TASK>"),
            Some(" </TASK>")
        );
        assert_eq!(shape.strip("2026-11-24T12:00:01Z + a"), None);
        let shape = Shape::of("vm-3 [  1.5] ").unwrap();
        assert_eq!(shape.strip("vm-17 [12345.678] a"), Some("a"));
        assert_eq!(shape.strip("vm-17 [x.678] a"), None);
        let words = Shape::of("vm 3 ").unwrap();
        assert_eq!(
            (words.strip("vm 17 a"), words.strip("up 3 a")),
            (Some("a"), None)
        );
        assert!(Shape::of("").is_none());
    }

    proptest! {
        #[test]
        fn a_prefix_has_its_own_shape(prefix in "\\PC{0,20}[:|-] ", text in "[a-zA-Z]\\PC{0,20}") {
            if let Some(shape) = Shape::of(&prefix) {
                let line = format!("{prefix}{text}");
                prop_assert_eq!(shape.strip(&line), Some(text.as_str()));
            }
        }
    }

    #[test]
    fn a_prefix_has_only_so_many_pieces() {
        let of = |pieces: usize| {
            Shape::of(&"a ".repeat(pieces).chars().take(pieces).collect::<String>())
        };
        assert!(of(0).is_none());
        assert!(of(LONGEST).is_some());
        assert!(of(LONGEST + 1).is_none());
        assert!(of(LONGEST + 2).is_none());
    }
}
