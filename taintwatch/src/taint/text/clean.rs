//! What mail readers and web pages do to a line, undone where that is sure.

use std::borrow::Cow;

/// What stands for a blank: HTML's, quoted-printable's, and the characters themselves.
const BLANKS: [&str; 9] = [
    "\u{a0}", "\u{2007}", "\u{202f}", "\t", "&nbsp;", "&#160;", "&#xa0;", "=20", "=09",
];
/// Other letters that quoted-printable and HTML hide.
const OTHERS: [(&str, &str); 3] = [("=3D", "="), ("&#45;", "-"), ("=2D", "-")];

/// A line with plain blanks. Quoted-printable's soft line break, `=` and a newline, is taken out.
pub(super) fn line(line: &str) -> Cow<'_, str> {
    let mut line = Cow::Borrowed(line);
    for soft in ["=\r\n", "=\n"] {
        replace(&mut line, soft, "");
    }
    for blank in BLANKS {
        replace(&mut line, blank, " ");
    }
    for (hidden, plain) in OTHERS {
        replace(&mut line, hidden, plain);
    }
    line
}

fn replace(line: &mut Cow<'_, str>, from: &str, to: &str) {
    if line.contains(from) {
        *line = Cow::Owned(line.replace(from, to));
    }
}
