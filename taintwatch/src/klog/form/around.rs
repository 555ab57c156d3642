//! What users and their tools add around a line: marks of a quoted mail and of Markdown.
//!
//! In: a line as it stands in a file. Out: what is within.

/// Without the marks of a quoted mail, of code in Markdown, and of a log that lost lines.
pub(in super::super) fn bare(raw: &str) -> &str {
    let mut text = raw.trim_end_matches('`');
    while let Some(rest) = ["> ", ">> ", "| ", "`"]
        .iter()
        .find_map(|mark| text.strip_prefix(mark))
        .or_else(|| quoted(text))
        .or_else(|| behind_the_dropped(text))
    {
        text = rest;
    }
    text
}

/// `>` of a quoted mail without a blank; KASAN marks with it a row of the memory that it prints, `>ffff888012345678: `.
fn quoted(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('>')?;
    let is_row = rest
        .get(..8)
        .is_some_and(|address| address.bytes().all(|byte| byte.is_ascii_hexdigit()));
    (!is_row).then_some(rest)
}

/// `** 220 printk messages dropped ** ` of 3.18 to 4.14 (`console_unlock`, `kernel/printk/printk.c`).
fn behind_the_dropped(text: &str) -> Option<&str> {
    let (count, rest) = text
        .strip_prefix("** ")?
        .split_once(" printk messages dropped ** ")?;
    is_number(count).then_some(rest)
}

/// `...`: lines were left out.
pub(super) fn is_gap(text: &str) -> bool {
    let text = text.trim();
    text.len() >= 3 && text.bytes().all(|byte| byte == b'.')
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_of_dropped_lines_stands_around_a_line() {
        let behind = "** 220 printk messages dropped ** [ 1.5] x";
        assert_eq!(bare(behind), "[ 1.5] x");
        for text in [
            "** x printk messages dropped ** y",
            "**  printk messages dropped ** y",
        ] {
            assert_eq!(bare(text), text);
        }
    }
}
