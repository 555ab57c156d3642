//! Paragraphs that fit the terminal.
//!
//! In: a text without colours, and where its lines begin. Out: the same text in lines; the first is not
//! indented, since something stands before it.

/// Words up to this long stay whole, also where they are wider than the terminal: they are there to be copied.
const WHOLE: usize = 110;

/// Lines longer than this tire the eye; narrower terminals get narrower lines.
#[must_use]
pub fn width() -> usize {
    textwrap::termwidth().clamp(40, 96)
}

/// The text in lines of `width`, all but the first indented.
#[must_use]
pub fn hanging(text: &str, indent: usize, width: usize) -> String {
    let blanks = " ".repeat(indent);
    // Paths are words: they are not broken at each slash.
    let options = textwrap::Options::new(width.max(indent + 20))
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .break_words(text.split(' ').any(|word| word.len() > WHOLE))
        .initial_indent(&blanks)
        .subsequent_indent(&blanks);
    textwrap::fill(text, options).trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hangs_below_its_first_line() {
        assert_eq!(
            hanging("one two three four five six seven", 4, 24),
            "one two three four\n    five six seven"
        );
        assert_eq!(hanging("", 4, 24), "");
    }
}
