//! The shapes in which people meet a taint state: a number, letters, and what kernels print.
//!
//! In: any text. Out: the mask that it tells of. Total: no input makes it panic.
//!
//! Kernels print either one place a flag (`print_tainted`, `kernel/panic.c`), where the position
//! decides, or from 6.11 on also `[W]=WARN, [O]=OOT_MODULE` (`print_tainted_verbose`).

use serde::Serialize;

use super::flags::{self, VENDOR};
use crate::event::Mask;

/// One taint state that a text tells of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub mask: Mask,
    pub flags: Vec<Reading>,
    /// What was read.
    pub text: String,
    /// What the reader should know before believing it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A set flag; a bit that upstream does not use has no letter and no name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reading {
    pub bit: u32,
    pub letter: Option<char>,
    pub name: Option<&'static str>,
    pub vendor: &'static str,
}

/// Why a text tells of no taint state.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no taint state: give the number of /proc/sys/kernel/tainted, letters such as \"P O E\", or a line with \"Tainted:\""
)]
pub struct Unreadable(pub String);

const MARK: &str = "Tainted: ";
/// The fewest places that a kernel has ever printed, and the most that a vendor's prints.
const PLACES: std::ops::RangeInclusive<usize> = 10..=32;

/// Decodes a number, letters, or a kernel's line.
pub fn decode(text: &str) -> Result<Finding, Unreadable> {
    let trimmed = text.trim();
    if let Some(finding) = line(text) {
        return Ok(finding);
    }
    let number = match trimmed.strip_prefix("0x").or(trimmed.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => trimmed.parse().ok(),
    };
    number
        .map(|mask| finding(Mask(mask), trimmed, Vec::new()))
        .or_else(|| {
            letters(
                trimmed.strip_prefix("Tainted:").unwrap_or(trimmed),
                trimmed,
                Vec::new(),
            )
        })
        .ok_or_else(|| Unreadable(trimmed.to_owned()))
}

/// The taint state that a line of a log tells of. A task's name may hold the mark too: the last that
/// can be read is the kernel's own.
#[must_use]
pub fn line(line: &str) -> Option<Finding> {
    let tainted = line.rmatch_indices(MARK).find_map(|(at, _)| {
        let rest = line.get(at + MARK.len()..)?;
        verbose(rest)
            .or_else(|| positional(rest))
            .or_else(|| collapsed(rest))
    });
    tainted.or_else(|| {
        line.contains("Not tainted")
            .then(|| finding(Mask(0), "Not tainted", Vec::new()))
    })
}

/// `[W]=WARN, [O]=OOT_MODULE`.
fn verbose(rest: &str) -> Option<Finding> {
    let mut mask = Mask(0);
    let mut notes = Vec::new();
    for item in rest.trim_end().split(", ") {
        let (letter, name) = item.strip_prefix('[')?.split_once("]=")?;
        let mut letters = letter.chars();
        let letter = letters.next().filter(|_| letters.next().is_none())?;
        match flags::by_letter(letter) {
            Some(flag) => mask = mask.with(flag.bit),
            None => notes.push(format!(
                "[{letter}]={name} is no upstream flag; a vendor's kernel may use it"
            )),
        }
    }
    Some(finding(mask, rest.trim_end(), notes))
}

/// One place a bit: its letter, or a blank (`-` for a vendor's reserved bits) when clear.
fn positional(rest: &str) -> Option<Finding> {
    let mut mask = Mask(0);
    let mut width = 0;
    for (bit, place) in (0..).zip(rest.chars().take(*PLACES.end())) {
        match place {
            _ if flags::by_bit(bit).is_some_and(|flag| flag.letter == place) => {
                mask = mask.with(bit);
            }
            ' ' | '-' => {}
            'G' if bit == 0 => {}
            '?' => mask = mask.with(bit),
            _ if bit >= 20 && place.is_ascii_alphabetic() => mask = mask.with(bit),
            '0'..='9' | '(' | ')' | ',' | '\n' | '\r' => break,
            _ => return None,
        }
        width += 1;
    }
    let text: String = rest.chars().take(width).collect();
    PLACES
        .contains(&width)
        .then(|| finding(mask, text.trim_end(), Vec::new()))
}

/// What is left when blanks were lost on the way: letters up to the release.
fn collapsed(rest: &str) -> Option<Finding> {
    let is_letters = |word: &&str| word.chars().all(|letter| letter.is_ascii_alphabetic());
    let words: Vec<_> = rest
        .split_ascii_whitespace()
        .take_while(is_letters)
        .collect();
    let text = words.join(" ");
    let known = |letter: char| letter == 'G' || letter == ' ' || flags::by_letter(letter).is_some();
    if text.is_empty() || !text.chars().all(known) {
        return None;
    }
    let note = "blanks were lost, so the letters are read without their places".to_owned();
    letters(
        &text,
        &text,
        if text == rest.trim_end() && text.len() == 1 {
            Vec::new()
        } else {
            vec![note]
        },
    )
}

/// Letters in any order, with blanks, commas or parentheses between them.
fn letters(letters: &str, text: &str, mut notes: Vec<String>) -> Option<Finding> {
    let mut mask = Mask(0);
    let mut known = 0;
    for letter in letters
        .chars()
        .filter(|letter| !matches!(letter, ' ' | ',' | '(' | ')' | '+' | '\t'))
    {
        match flags::by_letter(letter) {
            Some(flag) => mask = mask.with(flag.bit),
            None if letter == 'G' => {}
            None if letter.is_ascii_alphabetic() => {
                notes.push(format!(
                    "{letter} is no upstream flag; a vendor's kernel may use it"
                ));
                continue;
            }
            None => return None,
        }
        known += 1;
    }
    (known > 0).then(|| finding(mask, text, notes))
}

fn finding(mask: Mask, text: &str, mut notes: Vec<String>) -> Finding {
    let reading = |bit| {
        let flag = flags::by_bit(bit);
        Reading {
            bit,
            letter: flag.map(|flag| flag.letter),
            name: flag.map(|flag| flag.name),
            vendor: if flag.is_some() { VENDOR } else { "unknown" },
        }
    };
    let flags: Vec<_> = mask.bits().map(reading).collect();
    for unknown in flags.iter().filter(|flag| flag.name.is_none()) {
        notes.push(format!(
            "bit {} is no upstream flag; a vendor's kernel may use it",
            unknown.bit
        ));
    }
    Finding {
        mask,
        flags,
        text: text.to_owned(),
        notes,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mask(text: &str) -> Option<u64> {
        decode(text).ok().map(|finding| finding.mask.0)
    }

    #[test]
    fn reads_each_shape() {
        for (text, expected) in [
            ("4609", 4609),
            ("0x1201", 4609),
            ("0", 0),
            ("18446744073709551615", u64::MAX),
            ("P O E", 12289),
            ("POE", 12289),
            ("P,O,E", 12289),
            ("(POE)", 12289),
            ("G W OE", 12800),
            ("G", 0),
            (
                "CPU: 1 PID: 7 Comm: insmod Tainted: G        W  OE     6.1.0-50-cloud-amd64 #1",
                12800,
            ),
            (
                "CPU: 1 PID: 7 Comm: x Tainted: P           OE      6.1.0 #1",
                12289,
            ),
            ("Tainted: G W OE 6.1.0-50-amd64", 12800),
            ("Tainted: [W]=WARN, [O]=OOT_MODULE", 4608),
            ("CPU: 0 PID: 1 Comm: swapper/0 Not tainted 6.12.1 #1", 0),
            ("Comm: Tainted: Z Tainted: G        W          6.1.0", 512),
            (
                "Tainted: G           O     -------------------------------u 5.14.0",
                4096,
            ),
        ] {
            assert_eq!(mask(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn shows_what_it_does_not_know_and_refuses_what_is_nothing() {
        let finding = decode("2147483649").unwrap();
        assert_eq!(
            finding.flags[1],
            Reading {
                bit: 31,
                letter: None,
                name: None,
                vendor: "unknown"
            }
        );
        assert!(finding.notes[0].contains("bit 31"));
        assert!(decode("P Z").unwrap().notes[0].contains('Z'));
        for text in ["", "hello!", "-1", "18446744073709551616", "0x", "Z"] {
            assert!(decode(text).is_err(), "{text}");
        }
    }

    /// As `print_tainted` prints it with so many flags.
    fn printed(mask: u32, width: u32) -> String {
        (0..width)
            .map(|bit| match (mask >> bit & 1, bit) {
                (1, _) => flags::by_bit(bit).unwrap().letter,
                (_, 0) => 'G',
                _ => ' ',
            })
            .collect()
    }

    proptest! {
        #[test]
        fn every_mask_survives_every_shape(mask in 1_u32..1 << 20) {
            let decimal = mask.to_string();
            let hex = format!("{mask:#x}");
            let letters = flags::letters(Mask(mask.into()));
            let bits = flags::UPSTREAM.iter().filter(|flag| mask >> flag.bit & 1 == 1);
            let items: Vec<_> = bits.map(|flag| format!("[{}]={}", flag.letter, flag.name)).collect();
            let verbose = format!("Tainted: {}", items.join(", "));
            for text in [decimal, hex, letters, verbose] {
                prop_assert_eq!(self::mask(&text), Some(u64::from(mask)), "{}", text);
            }
            for width in 18..=20 {
                let mask = mask & ((1 << width) - 1);
                let line = format!("CPU: 0 PID: 1 Comm: a b Tainted: {} 6.1.0 #1", printed(mask, width));
                prop_assert_eq!(self::mask(&line), Some(u64::from(mask)), "{}", line);
            }
        }

        #[test]
        fn never_panics(text: String, tail: String) {
            _ = decode(&text);
            _ = line(&format!("Tainted: {tail}"));
        }
    }
}
