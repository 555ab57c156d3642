//! What a serial console, a browser or a mail program did to a line, undone.
//!
//! In: a line as it stands in a file. Out: the same without their marks.

use memchr::{memchr, memchr3};

/// Whether there is anything to undo.
pub(super) fn is_mangled(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr3(b'\r', 0x1b, b'&', bytes).is_some()
        || memchr(0, bytes).is_some()
        || text.ends_with('>')
            && text
                .rfind('<')
                .and_then(|at| tag(text.get(at..)?))
                .is_some()
        || text.starts_with('<') && tag(text).is_some()
}

/// Without escape sequences of terminals, NUL and tags, with HTML's entities as the characters that they are, and its
/// ends of lines as such.
pub(super) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\x1b', '&', '<', '\0']) {
        let (before, special) = rest.split_at(at);
        clean.push_str(before);
        let (replaced, len) = match special.as_bytes().first() {
            Some(0x1b) => (None, escape_len(special)),
            Some(b'&') => entity(special).unwrap_or((Some('&'), 1)),
            Some(b'<') => tag(special).unwrap_or((Some('<'), 1)),
            _ => (None, 1),
        };
        clean.extend(replaced);
        rest = special.get(len..).unwrap_or_default();
    }
    clean.push_str(rest);
    clean
}

const ENTITIES: [(&str, char); 7] = [
    ("&lt;", '<'),
    ("&gt;", '>'),
    ("&amp;", '&'),
    ("&quot;", '"'),
    ("&#39;", '\''),
    ("&#x27;", '\''),
    ("&nbsp;", ' '),
];

fn entity(text: &str) -> Option<(Option<char>, usize)> {
    let (name, character) = ENTITIES.iter().find(|(name, _)| text.starts_with(name))?;
    Some((Some(*character), name.len()))
}

/// `ESC [ … letter`, or the escape alone.
fn escape_len(text: &str) -> usize {
    let Some(sequence) = text.strip_prefix("\x1b[") else {
        return 1;
    };
    sequence
        .find(|c: char| ('@'..='~').contains(&c))
        .map_or(1, |end| 2 + end + 1)
}

/// Those of pages that show a log; the kernel's own `<IRQ>` and `<TASK>` are others.
const TAGS: [&str; 16] = [
    "html", "body", "pre", "code", "span", "br", "div", "p", "font", "table", "tbody", "tr", "td",
    "ul", "ol", "li",
];
/// A line of the page ends with them, or a column.
const LINES: [&str; 5] = ["br", "/div", "/p", "/tr", "/li"];
const COLUMN: &str = "/td";

/// `<span class="x">`, `</pre>`, `<br/>`: what it is as a text, and how long.
fn tag(text: &str) -> Option<(Option<char>, usize)> {
    let (inside, _) = text.strip_prefix('<')?.split_once('>')?;
    let is = |name: &str| {
        let begin = inside.get(..name.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(name))
            && inside
                .get(name.len()..)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '/']))
    };
    let known = |name: &str| is(name) || inside.starts_with('/') && is(&format!("/{name}"));
    TAGS.into_iter().find(|name| known(name))?;
    let becomes = if LINES.into_iter().any(is) {
        Some('\n')
    } else {
        is(COLUMN).then_some(' ')
    };
    Some((becomes, inside.len() + 2))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tags_of_pages_are_no_text_and_the_kernels_are() {
        for (raw, expected) in [
            ("<html><body><pre>a<br>", "a\n"),
            (
                "<span class=\"x\">[    1.000000]</span> a",
                "[    1.000000] a",
            ),
            ("</PRE>", ""),
            (" a<br/>b</DIV>", " a\nb\n"),
            ("<tr><td class=\"n\">7</td><td>a</td></tr>", "7 a \n"),
        ] {
            assert!(is_mangled(raw), "{raw}");
            assert_eq!(clean(raw), expected);
        }
        for raw in [
            " <TASK>",
            "</TASK>",
            "<4>a",
            "Code: 00 <0f> 0b",
            "a <b",
            "<spandex> a",
        ] {
            assert_eq!(clean(raw), raw);
        }
        assert!(
            !is_mangled("<4>a") && !is_mangled(" </TASK>") && !is_mangled("[    1.000000] a <p> b")
        );
    }

    proptest! {
        #[test]
        fn never_panics(text: String) { _ = clean(&format!("<{text}&\x1b[{text}")); }
    }
}
