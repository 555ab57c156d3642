//! The events of the page as data, for a program.
//!
//! In: events. Out: a block that no browser runs, in JSON that cannot end the block early: what HTML or a reader could
//! take for something else is written by its number, which is the same JSON.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};

use crate::output::{escape::Escaped, selection::Selection};

pub(super) fn block(selection: &Selection<'_>) -> Markup {
    let events: Vec<_> = selection.entries().map(|entry| entry.event).collect();
    let json = serde_json::to_string(&events).unwrap_or_else(|_| "[]".to_owned());
    html! {
        script #events type="application/json" { (PreEscaped(harmless(&json))) }
    }
}

/// The same JSON without a character that HTML, or the eye, reads in its own way.
fn harmless(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        let mut buffer = [0; 4];
        let shown = Escaped(character.encode_utf8(&mut buffer)).to_string();
        if matches!(character, '<' | '>' | '&') || !shown.starts_with(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_ends_the_block_early() {
        let json =
            serde_json::to_string("</script><!-- & \u{2028}\u{202e}\u{e0001}\u{7f}").unwrap();
        assert_eq!(
            harmless(&json),
            r#""\u003c/script\u003e\u003c!-- \u0026 \u2028\u202e\udb40\udc01\u007f""#
        );
    }

    proptest! {
        #[test]
        fn it_stays_the_same_json(text: String) {
            let json = harmless(&serde_json::to_string(&text).unwrap());
            let is_odd = json.contains(['<', '>', '&', '\u{2028}', '\u{2029}']);
            prop_assert!(!is_odd);
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
