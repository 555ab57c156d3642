//! A taint state without a kernel's words around it: a number, letters, names.
//!
//! In: what a user typed or copied, and what is known of the kernel. Out: what it means; none where it is something
//! else.

use super::{Decoded, KernelHint, letters};
use crate::{
    event::Mask,
    taint::{flags::UPSTREAM, log::is_module_name},
};

/// `12289`, `P O E`, `nvidia(POE)`, `[O]=OOT_MODULE`, `TAINT_WARN`, `kernel.tainted = 512`.
pub(super) fn bare(text: &str, hint: KernelHint) -> Option<Decoded> {
    let text = text.strip_prefix("Tainted:").map_or(text, str::trim_start);
    let read = number(behind_a_name(text))
        .or_else(|| Some((names(text)?, Vec::new())))
        .map(|(mask, notes)| (hint.tables().map(|table| (table, mask)).collect(), notes));
    let verbose = || letters::verbose(text, hint).map(|(fits, _, notes)| (fits, notes));
    let (fits, notes): (Vec<_>, _) = read
        .or_else(verbose)
        .or_else(|| letters::any_order(of_module(text).unwrap_or(text), hint))?;
    Some(Decoded::of(&fits, text, notes))
}

/// `sysctl` and `grep` print the file's name before its number.
fn behind_a_name(text: &str) -> &str {
    let number = text.rsplit(['=', ':']).next().unwrap_or(text);
    let is_of_the_mask = text.contains("tainted");
    if is_of_the_mask { number.trim() } else { text }
}

/// The letters of a module in a report's list: `nvidia(POE)`.
fn of_module(text: &str) -> Option<&str> {
    let (name, letters) = text.strip_suffix(')')?.split_once('(')?;
    is_module_name(name).then_some(letters)
}

/// Names as the sources have them.
fn names(text: &str) -> Option<Mask> {
    let words = text.split([' ', ',', '|']).filter(|word| !word.is_empty());
    let mut mask = None;
    for word in words {
        let name = word.strip_prefix("TAINT_")?;
        let flag = UPSTREAM.iter().find(|flag| flag.name == name)?;
        mask = Some(mask.unwrap_or(Mask(0)).with(flag.bit));
    }
    mask
}

/// Decimal, `0x…`, `0o…`; a leading 0 is octal, as the kernel's own files take it.
fn number(text: &str) -> Option<(Mask, Vec<String>)> {
    let radix = |digits: &str, radix| {
        let plain = digits.starts_with(|first: char| first.is_ascii_hexdigit());
        plain
            .then(|| u64::from_str_radix(digits, radix).ok())
            .flatten()
    };
    let strip = |low: &str, high: &str| text.strip_prefix(low).or(text.strip_prefix(high));
    if let Some(digits) = strip("0x", "0X") {
        return Some((Mask(radix(digits, 16)?), Vec::new()));
    }
    let octal =
        strip("0o", "0O").or_else(|| text.strip_prefix('0').filter(|rest| !rest.is_empty()));
    if let Some(digits) = octal {
        let mask = Mask(radix(digits, 8)?);
        return Some((mask, vec![format!("read as octal: {}", mask.0)]));
    }
    Some((Mask(radix(text, 10)?), Vec::new()))
}

/// The first digit of a decimal number that its leading 0 forbids.
pub(super) fn no_octal(text: &str) -> Option<char> {
    let digits = behind_a_name(text).strip_prefix('0')?;
    let is_number = digits.chars().all(|digit| digit.is_ascii_digit());
    digits.chars().find(|digit| is_number && *digit > '7')
}

#[cfg(test)]
mod tests {
    use super::{super::KernelHint, *};

    fn mask(text: &str) -> Option<u64> {
        bare(text, KernelHint::default()).map(|finding| finding.mask.0)
    }

    #[test]
    fn reads_what_people_copy() {
        for (text, expected) in [
            ("kernel.tainted = 12289", 12289),
            ("/proc/sys/kernel/tainted:512", 512),
            ("nvidia(POE)", 12289),
            ("vboxdrv(OE+)", 12288),
            ("[O]=OOT_MODULE", 4096),
            ("[W]=WARN, [O]=OOT_MODULE", 4608),
            ("TAINT_WARN", 512),
            ("TAINT_WARN | TAINT_USER", 576),
            // A flag that came after this program.
            ("G WZ", 512),
        ] {
            assert_eq!(mask(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn words_are_no_flags() {
        for text in [
            "tainted",
            "hello",
            "kernel",
            "no",
            "help",
            "PQZ",
            "x(y)",
            "TAINT_NONSENSE",
            "a = 7",
            "",
            "TAINT_",
        ] {
            assert_eq!(mask(text), None, "{text}");
        }
    }

    #[test]
    fn seven_is_an_octal_digit_and_eight_is_none() {
        assert_eq!(no_octal("0778"), Some('8'));
        assert_eq!(no_octal("0777"), None);
        assert_eq!(no_octal("08x"), None);
    }
}
