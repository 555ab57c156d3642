//! Makes any text safe to print to a terminal.
//!
//! In: names, licences, paths as their authors wrote them. Out: the same text, with every control and
//! formatting character shown as `\x1b` or `\u{202e}`.

use std::fmt::{self, Write as _};

/// A text that prints without power over the terminal.
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if character.is_control() {
                write!(f, "\\x{:02x}", u32::from(character))?;
            } else if is_format(character) {
                write!(f, "\\u{{{:x}}}", u32::from(character))?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// Whether a character must not reach a terminal as it is.
pub(crate) fn has_power(character: char) -> bool {
    character.is_control() || is_format(character)
}

/// Invisible characters that change how their neighbours look (Unicode's `Cf`, and line separators).
fn is_format(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_what_moves_the_terminal_and_nothing_else() {
        assert_eq!(
            Escaped("GPL\x1b[2J\n\u{202e}x").to_string(),
            "GPL\\x1b[2J\\x0a\\u{202e}x"
        );
        assert_eq!(Escaped("naïve – 漢字").to_string(), "naïve – 漢字");
    }

    proptest! {
        #[test]
        fn leaves_no_control_character(text: String) {
            prop_assert!(!Escaped(&text).to_string().chars().any(|c| c.is_control() || is_format(c)));
        }
    }
}
