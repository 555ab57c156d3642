//! A taint state that another program's sentence quotes.
//!
//! In: a line. Out: the number or the letters in it: `(flags:GBDL)` of abrt, `(is: 102400, Flags:OKX)` of checklists, where
//! the number says more than the letters.

const FLAGS: &str = "flags:";

/// The part that shows the state.
pub(super) fn value(line: &str) -> Option<&str> {
    let at = line.to_ascii_lowercase().find(FLAGS)?;
    let before = line.get(..at)?;
    let number = || {
        let (_, number) = before.rsplit_once("is: ")?;
        let number = number.trim_end_matches([' ', ',']);
        (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(number)
    };
    let letters = || {
        let rest = line.get(at + FLAGS.len()..)?.trim_start();
        let is_letter = |letter: char| letter.is_ascii_alphabetic();
        let end = rest.find(|letter| !is_letter(letter)).unwrap_or(rest.len());
        rest.get(..end).filter(|letters| !letters.is_empty())
    };
    number().or_else(letters)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_other_programs_quote() {
        for (line, expected) in [
            (
                "your kernel has been tainted (flags:GBDL). Explanation:",
                Some("GBDL"),
            ),
            ("flags:GBDL", Some("GBDL")),
            (
                "OS kernel is NOT un-tainted (is: 102400, Flags:OKX)",
                Some("102400"),
            ),
            ("tainted (is: not known, Flags:OKX)", Some("OKX")),
            ("tainted (is: , Flags:OKX)", Some("OKX")),
            ("Kernel tainting module (is: hid_hyperv:X)", None),
            ("flags: ", None),
        ] {
            assert_eq!(value(line), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(line: String) { _ = value(&format!("is: flags:{line}")); }
    }
}
