//! Records that a program put into one line: a web page or a chat that lost the ends of lines.
//!
//! In: a line, and the first record that was read from it. Out: where the next prefix of the same shape begins.

use super::{super::Line, bracket, shape::Shape, word::is_process};

/// Where a second record can begin.
pub(super) fn second(raw: &str, first: &Line<'_>) -> Option<usize> {
    let begin = raw.len().checked_sub(first.text.len())?;
    // Where marks at its end were taken away it is no end of the line.
    let (prefix, text) = raw.split_at_checked(begin)?;
    if !first.has_time() || !text.starts_with(first.text) || is_of_another(text) {
        return None;
    }
    // A program's record differs in the writer.
    let before_writer = prefix.rfind("kernel:").and_then(|at| prefix.get(..at));
    let shape = Shape::of(before_writer.unwrap_or(prefix).trim_start());
    let begins = |inner: &str| {
        bracket::is_kernels(inner)
            || shape
                .as_ref()
                .is_some_and(|shape| shape.strip(inner).is_some())
    };
    let mut blank = true;
    let at = text.char_indices().find_map(|(at, c)| {
        let begins_word = std::mem::replace(&mut blank, is_blank(c)) && !is_blank(c);
        let (before, inner) = text.split_at_checked(at)?;
        let before = before.trim_end();
        // Kernels of 4.8 wrote a time into what goes on in a line.
        let is_whole = !before.is_empty() && !before.ends_with(':') && !inner.ends_with(']');
        (begins_word && is_whole && begins(inner)).then_some(at)
    })?;
    Some(begin + at)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

/// A program's text, or a console's, may hold the log of another machine.
fn is_of_another(text: &str) -> bool {
    text.split(' ').next().is_some_and(is_process)
}

#[cfg(test)]
mod tests {
    use super::super::Source;

    /// The texts of a line.
    fn texts(mut raw: &str) -> Vec<&str> {
        let mut source = Source::default();
        let mut texts = Vec::new();
        while let Some(line) = source.line(raw) {
            let Some(at) = source.second(raw, &line) else {
                texts.push(line.text);
                break;
            };
            let (first, rest) = raw.split_at(at);
            texts.push(first.trim_end().get(raw.len() - line.text.len()..).unwrap());
            raw = rest;
        }
        texts
    }

    #[test]
    fn records_in_one_line_are_divided_where_the_clock_goes_on() {
        for (raw, expected) in [
            (
                "[    1.000001] a: b [    1.000002] c [   12.000000] d",
                vec!["a: b", "c", "d"],
            ),
            (
                "Nov 24 12:00:00 web1 kernel: a b Nov 24 12:00:01 web1 kernel: c Nov 24 12:00:01 web1 app[4]: d",
                vec!["a b", "c"],
            ),
            ("> [    1.000001] a [    1.000002] b", vec!["a", "b"]),
            ("[    1.000001] a\t[    1.000002] b", vec!["a", "b"]),
            (
                "[    5.000001] a [    1.000002] b",
                vec!["a [    1.000002] b"],
            ),
            (
                "[    5.000001] console: [    6.000002] b",
                vec!["console: [    6.000002] b"],
            ),
            (
                "[    5.000001] vm[7]: a [    6.000002] b",
                vec!["vm[7]: a [    6.000002] b"],
            ),
            ("a [    6.000002] b", vec!["b"]),
        ] {
            assert_eq!(texts(raw), expected, "{raw}");
        }
    }
}
