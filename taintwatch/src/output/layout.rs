//! Text on a page of a fixed width: indented, wrapped, hanging.
//!
//! In: plain text of any origin, and marks of our own. Out: lines that are safe to print, with colour codes in the marks
//! alone.

use std::fmt::Write as _;

use anstyle::Style;

use super::{
    escape::Escaped,
    style::{BOLD, DIM},
};

/// A page that fits a mail.
pub const MAIL: usize = 76;

/// Words up to this long stay whole, also where they are wider than the page: paths are there to be copied.
const WHOLE: usize = 110;

/// Where the texts of rows begin.
pub const ROW: usize = 20;

/// Where the texts of events begin: behind the date, the time and the mark.
const EVENT: usize = 34;

/// What is printed.
#[derive(Debug)]
pub struct Layout {
    width: usize,
    /// It is a terminal: single lines are cut at its edge.
    is_terminal: bool,
    text: String,
}

impl Layout {
    #[must_use]
    pub const fn new(width: usize) -> Self {
        Self {
            width,
            is_terminal: false,
            text: String::new(),
        }
    }

    /// As wide as the terminal, within what the eye can follow; a mail's width where there is none.
    #[must_use]
    pub fn for_stdout() -> Self {
        use std::io::IsTerminal as _;
        if std::io::stdout().is_terminal() {
            Self {
                is_terminal: true,
                ..Self::new(textwrap::termwidth().clamp(40, 100))
            }
        } else {
            Self::new(MAIL)
        }
    }

    /// The same for standard error.
    #[must_use]
    pub fn for_stderr() -> Self {
        use std::io::IsTerminal as _;
        if std::io::stderr().is_terminal() {
            Self::new(textwrap::termwidth().clamp(40, 100))
        } else {
            Self::new(MAIL)
        }
    }

    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    #[must_use]
    pub fn text(self) -> String {
        self.text
    }

    pub fn blank(&mut self) {
        self.text += "\n";
    }

    pub fn title(&mut self, indent: usize, title: &str) {
        let title = Escaped(title);
        // Writing to a String cannot fail.
        _ = writeln!(self.text, "{:indent$}{BOLD}{title}{BOLD:#}", "");
    }

    /// A title with air above it.
    pub fn section(&mut self, indent: usize, title: &str) {
        self.blank();
        self.title(indent, title);
    }

    /// A mark in `style` and padded to `column`, and beside it the text, wrapped below itself.
    pub fn marked(&mut self, indent: usize, mark: &str, column: usize, style: Style, text: &str) {
        let mark = Escaped(mark).to_string();
        let gap = column
            .saturating_sub(textwrap::core::display_width(&mark))
            .max(1);
        let begin = format!("{:indent$}{style}{mark}{style:#}{:gap$}", "", "");
        let hang = " ".repeat(indent + column);
        self.wrapped(&begin, &hang, text);
    }

    /// An entry of a timeline: the time, a mark in `style`, and the text beside both.
    pub fn timed(&mut self, time: &str, mark: &str, style: Style, text: &str) {
        let begin = format!("  {DIM}{time:<12}{DIM:#}  {style}{mark:<8}{style:#} ");
        let hang = " ".repeat(25);
        self.wrapped(&begin, &hang, text);
    }

    /// A row of a table: a mark in `style`, a name, and the text beside both.
    pub fn row(&mut self, mark: &str, style: Style, name: &str, text: &str) {
        let begin = format!("  {style}{mark:<2}{style:#} {name:<14} ");
        let hang = " ".repeat(ROW);
        self.wrapped(&begin, &hang, text);
    }

    /// The text of an event beside its time and mark; without them, where that text begins.
    pub fn hanging(&mut self, begin: &str, text: &str) {
        let hang = " ".repeat(EVENT);
        let begin = if begin.is_empty() { &hang } else { begin };
        self.wrapped(begin, &hang, text);
    }

    /// A text below an indent.
    pub fn indented(&mut self, indent: usize, text: &str) {
        let begin = " ".repeat(indent);
        self.wrapped(&begin, &begin, text);
    }

    /// A text on one line: what does not fit on a terminal is cut off there, and nowhere else.
    pub fn line(&mut self, indent: usize, text: &str) {
        let text = Escaped(text).to_string();
        let room = self.width.saturating_sub(indent);
        // Writing to a String cannot fail.
        _ = if self.is_terminal && textwrap::core::display_width(&text) > room {
            let mut left = room.saturating_sub(1);
            let cut = text.chars().take_while(|c| {
                let wide = textwrap::core::display_width(c.encode_utf8(&mut [0; 4]));
                let fits = wide <= left;
                left = left.saturating_sub(wide);
                fits
            });
            writeln!(self.text, "{:indent$}{}…", "", cut.collect::<String>())
        } else {
            writeln!(self.text, "{:indent$}{text}", "")
        };
    }

    fn wrapped(&mut self, begin: &str, hang: &str, text: &str) {
        let text = Escaped(text).to_string();
        if text.trim().is_empty() {
            self.text += begin.trim_end();
            return self.blank();
        }
        // A narrow terminal leaves room for a word.
        let width = self.width.max(textwrap::core::display_width(hang) + 16);
        let options = textwrap::Options::new(width)
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            // An overlong word does not take others along.
            .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit)
            .break_words(text.split(' ').any(|word| word.len() > WHOLE))
            .initial_indent(begin)
            .subsequent_indent(hang);
        for line in textwrap::wrap(&text, options) {
            self.text += line.trim_end();
            self.text += "\n";
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hangs_below_the_mark() {
        let mut layout = Layout::new(30);
        layout.marked(2, "W", 6, Style::new(), "a warning that is seen whole\n");
        assert_eq!(
            layout.text(),
            "  W     a warning that is seen\n        whole\\x0a\n"
        );
        let mut layout = Layout::new(30);
        layout.marked(2, "alone", 9, Style::new(), "");
        assert_eq!(layout.text(), "  alone\n");
    }

    #[test]
    fn a_line_ends_at_the_edge_of_a_terminal() {
        let mut layout = Layout::new(12);
        layout.line(2, "longer than this");
        layout.is_terminal = true;
        layout.line(2, "longer than this");
        layout.line(2, "漢字漢字漢字");
        layout.line(2, "as long as");
        let lines = "  longer than this\n  longer th…\n  漢字漢字…\n  as long as\n";
        assert_eq!(layout.text(), lines);
    }

    proptest! {
        #[test]
        fn only_a_word_that_stays_whole_is_wider_than_the_page(mark: String, words in proptest::collection::vec("\\PC{0,200}", 0..9)) {
            let mut layout = Layout::new(60);
            let text = words.join(" ");
            layout.marked(4, "x", 12, Style::new(), &text);
            layout.marked(4, &mark, 12, Style::new(), &text);
            let printed = layout.text();
            prop_assert!(printed.chars().all(|c| c == '\n' || !c.is_control()));
            for line in printed.lines().skip(1).filter(|line| line.starts_with("                ")) {
                let is_whole = line.trim().split(' ').count() == 1;
                prop_assert!(textwrap::core::display_width(line) <= 60 || is_whole, "{line}");
            }
        }
    }
}
