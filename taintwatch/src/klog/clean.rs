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
                .and_then(|at| tag_len(text.get(at..)?))
                .is_some()
        || text.starts_with('<') && tag_len(text).is_some()
}

/// Without escape sequences of terminals, NUL and tags, with HTML's entities as the characters that they are.
pub(super) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\x1b', '&', '<', '\0']) {
        let (before, special) = rest.split_at(at);
        clean.push_str(before);
        let (replaced, len) = match special.as_bytes().first() {
            Some(0x1b) => (None, escape_len(special)),
            Some(b'&') => entity(special).unwrap_or((Some('&'), 1)),
            Some(b'<') => tag_len(special).map_or((Some('<'), 1), |len| (None, len)),
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
const TAGS: [&str; 9] = [
    "html", "body", "pre", "code", "span", "br", "div", "p", "font",
];

/// `<span class="x">`, `</pre>`, `<br/>`.
fn tag_len(text: &str) -> Option<usize> {
    let (inside, _) = text.strip_prefix('<')?.split_once('>')?;
    let name = inside.strip_prefix('/').unwrap_or(inside);
    let name = name.split([' ', '/']).next()?;
    let is_known = TAGS.iter().any(|tag| tag.eq_ignore_ascii_case(name));
    is_known.then_some(inside.len() + 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tags_of_pages_are_no_text_and_the_kernels_are() {
        for (raw, expected) in [
            ("<html><body><pre>a<br>", "a"),
            (
                "<span class=\"x\">[    1.000000]</span> a",
                "[    1.000000] a",
            ),
            ("</PRE>", ""),
            (" a<br/>", " a"),
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
