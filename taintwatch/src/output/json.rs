//! JSON for pipes: what `--json` prints.
//!
//! In: any value. Out: one line of JSON in which no character has power over a terminal: those stand as `\\u009b`, which
//! every reader of JSON gives back as they were. Errors are those of writing.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

use super::escape::has_power;

/// Writes a value and the end of the line.
pub fn line(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Plain);
    value.serialize(&mut serializer)?;
    writeln!(out)
}

/// The compact form; control characters below U+0020 are escaped by `serde_json` itself.
struct Plain;

impl Formatter for Plain {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, character)) = rest
            .char_indices()
            .find(|(_, character)| has_power(*character))
        {
            let (before, behind) = rest.split_at(at);
            CompactFormatter.write_string_fragment(writer, before)?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = behind.get(character.len_utf8()..).unwrap_or_default();
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        line(&text, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn nothing_has_power_over_a_terminal() {
        assert_eq!(
            written("a\u{9b}2J\u{202e}b\u{7f}"),
            "\"a\\u009b2J\\u202eb\\u007f\"\n"
        );
        assert_eq!(written("\u{e0001}"), "\"\\udb40\\udc01\"\n");
    }

    proptest! {
        #[test]
        fn it_reads_back_as_it_was(text in "(?s).*|[\u{7f}-\u{a0}\u{202a}-\u{202e}\u{e0001}a\"\\\\]*") {
            let json = written(&text);
            prop_assert!(!json.trim_end_matches('\n').chars().any(has_power));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
