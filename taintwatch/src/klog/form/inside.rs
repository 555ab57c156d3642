//! A known form behind something that is not known: a prompt, a mark of a list, a name of a file, another program's
//! stamp.
//!
//! In: a line that begins with no known form. Out: the kernel's line or a program's that stands in it, by the first time
//! of the kernel or of a logger; else by a text that only a kernel prints.

use super::{
    super::{Line, certain::is_certain, marks::may_matter},
    bracket,
    parsed::Parsed,
    shape::Shape,
    syslog,
    word::is_process,
};

/// Prefixes are no longer.
const LONGEST: usize = 400;

/// What stands in a line behind an unknown prefix that ends with the first time.
pub(super) fn timed(raw: &str) -> Parsed<'_> {
    for (at, _) in places(raw) {
        let (Some(before), Some(inner)) = (raw.get(..at), raw.get(at..)) else {
            continue;
        };
        if inner.starts_with(['[', '<']) {
            if let Some(line) = kernels(before, inner) {
                return line;
            }
        } else if let Some(line) = loggers(before, inner) {
            return line;
        }
    }
    Parsed::Bare(raw)
}

/// `PREFIX[   12.345678] TEXT`, `PREFIX<4>TEXT`.
fn kernels<'a>(before: &str, inner: &'a str) -> Option<Parsed<'a>> {
    let is_own = bracket::is_kernels(inner);
    let of_priority = || {
        let (priority, text) = bracket::priority(inner)?;
        // `<0f>` and `<00>` in a line of code are no priorities.
        (priority < 8 && inner.as_bytes().get(2) == Some(&b'>') && is_certain(text)).then_some(())
    };
    if !is_own && of_priority().is_none() {
        return None;
    }
    // `x[12.345678]` is a place in a table.
    let is_padded = inner.starts_with("[ ") || inner.starts_with('<');
    if before.ends_with(|c: char| c.is_alphanumeric() || c == '_') && !is_padded {
        return None;
    }
    if !is_neutral(before) {
        return Some(Parsed::Foreign);
    }
    let text = bracket::priority(inner).map_or(inner, |(_, text)| text);
    let line = bracket::time(text).unwrap_or_else(|| Line::of(text));
    Some(Parsed::Line(line))
}

/// `PREFIX Nov 24 12:00:00 web1 kernel: TEXT`.
fn loggers<'a>(before: &str, inner: &'a str) -> Option<Parsed<'a>> {
    if before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.')) {
        return None;
    }
    let parsed = if inner.starts_with(|c: char| c.is_ascii_digit()) {
        syslog::iso(inner)
    } else {
        syslog::stamped(inner)
    };
    match parsed.inside() {
        Parsed::Line(_) if !is_neutral(before) => Some(Parsed::Foreign),
        Parsed::Line(line) => Some(Parsed::Line(line)),
        // The kernel's own texts can hold a time too.
        Parsed::Foreign if !before.trim().contains(' ') => Some(Parsed::Foreign),
        Parsed::Unclaimed { line, is_whole } if is_whole && is_certain(line.text) => {
            Some(Parsed::Line(line))
        }
        _ => None,
    }
}

/// A text that only a kernel prints behind a prefix without any time, and the prefix.
pub(super) fn certain(raw: &str) -> Option<(&str, Option<Shape>)> {
    if !may_matter(raw.as_bytes()) || is_certain(raw.trim_start()) {
        return None;
    }
    let text = places(raw).find_map(|(at, _)| {
        let (before, text) = raw.split_at_checked(at)?;
        let begins = !before.ends_with(|c: char| {
            // The ellipsis marks what may be half a name.
            c.is_alphanumeric() || matches!(c, '_' | '"' | '\'' | '/' | '.' | '(' | '+' | '…')
        });
        (begins && is_certain(text)).then_some(text)
    })?;
    let prefix = raw.get(..raw.len() - text.len())?;
    is_neutral(prefix).then_some(())?;
    Some((text, Shape::of(prefix)))
}

/// Where a form can begin: at a word, at a bracket.
fn places(raw: &str) -> impl Iterator<Item = (usize, char)> {
    let mut last = ' ';
    raw.char_indices()
        .take_while(|(at, _)| *at < LONGEST)
        .filter(move |(_, c)| {
            let begins_word = c.is_alphanumeric() && !last.is_alphanumeric();
            let is_place = begins_word || matches!(c, '[' | '<' | '-');
            last = *c;
            is_place
        })
}

/// Whether a prefix names no process, and quotes nothing: `app[42]: `, `echo "`.
fn is_neutral(prefix: &str) -> bool {
    let quotes = || {
        let inner = prefix.strip_suffix(['"', '\'']);
        // A value in a table or an object is no quotation.
        let before = inner.map(str::trim_end);
        before.is_some_and(|before| {
            !before.is_empty() && !before.ends_with([',', ';', ':', '{', '[', '='])
        })
    };
    !prefix.split_ascii_whitespace().any(is_process) && !prefix.contains("(XEN)") && !quotes()
}

/// Without the marks that end what a prefix begins: `**[   12.345678] TEXT**`.
pub(super) fn unmarked<'a>(raw: &str, text: &'a str) -> &'a str {
    let before = raw
        .len()
        .checked_sub(text.len())
        .and_then(|at| raw.get(..at));
    // The time is between the mark and the text.
    let mark = before.and_then(|before| {
        let before = before.split('[').next()?.trim_end();
        before.chars().next_back()
    });
    match mark {
        Some(mark @ ('*' | '_' | '~' | '"' | '\'' | '|')) => text.trim_end_matches(mark).trim_end(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn never_panics(line: String, before: String) {
            _ = timed(&line);
            _ = timed(&format!("{before}[   12.345678] {line}"));
            _ = certain(&format!("{before}Modules linked in: {line}"));
            _ = unmarked(&line, &before);
        }
    }

    /// The kernel's text, or what the line is.
    fn read(raw: &str) -> &str {
        match timed(raw) {
            Parsed::Line(line) => line.text,
            Parsed::Foreign => "a program's",
            Parsed::Unclaimed { .. } => "unclaimed",
            Parsed::Bare(_) => "bare",
        }
    }

    #[test]
    fn a_priority_of_the_kernels_shows_a_text_that_only_it_prints() {
        const LIST: &str = "Modules linked in: a(O)";
        assert_eq!(read(&format!("PREFIX<4>{LIST}")), LIST);
        assert_eq!(read(&format!("<7>{LIST}")), LIST);
        for line in [
            "PREFIX<4>hello".to_owned(),
            format!("<8>{LIST}"),
            format!("<00>{LIST}"),
            format!("<12>{LIST}"),
        ] {
            assert_eq!(read(&line), "bare", "{line}");
        }
    }

    #[test]
    fn a_time_right_behind_a_word_is_one_where_it_is_padded() {
        assert_eq!(read("PREFIX [12.345678] text"), "text");
        assert_eq!(read("PREFIX[   12.345678] text"), "text");
        assert_eq!(read("x[12.345678] text"), "bare");
        assert_eq!(read("x_[12.345678] text"), "bare");
        assert_eq!(read("app[42]: [   12.345678] text"), "a program's");
    }

    #[test]
    fn a_loggers_time_begins_a_word() {
        let line = "Nov 24 12:00:00 web1 kernel: text";
        assert_eq!(read(&format!("> {line}")), "text");
        assert_eq!(read(&format!("_{line}")), "bare");
        assert_eq!(read(&format!(".{line}")), "bare");
    }

    #[test]
    fn a_prefix_is_no_longer_than_the_longest() {
        let behind = |blanks: usize| format!("{}[   12.345678] text", "#".repeat(blanks));
        assert_eq!(read(&behind(LONGEST - 1)), "text");
        assert_eq!(read(&behind(LONGEST)), "bare");
    }

    #[test]
    fn what_a_process_says_is_not_the_kernels() {
        let list = "Modules linked in: a(O)";
        let text = |line: &str| certain(line).map(|(text, _)| text.to_owned());
        assert_eq!(text(&format!("| web1 {list}")).as_deref(), Some(list));
        assert_eq!(text(&format!("app[42]: {list}")), None);
        assert_eq!(text(&format!("echo \"{list}")), None);
    }
}
