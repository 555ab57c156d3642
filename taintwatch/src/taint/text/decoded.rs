//! The taint state of a text, with every reading that fits.
//!
//! In: the tables that can have printed it, each with its mask. Out: the mask, its flags, and where the
//! tables disagree each one's reading: nothing is guessed.

use serde::Serialize;

use super::Fit;
use crate::{
    event::Mask,
    taint::{
        flags::{Flag, VENDOR},
        tables::Table,
    },
};

/// One taint state that a text shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decoded {
    pub mask: Mask,
    pub flags: Vec<Reading>,
    /// Where kernels disagree: what each means by it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<Reading>,
    /// What was read.
    pub text: String,
    /// The vendor of the table that read it, where that is certain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<&'static str>,
    /// The kernel's release, where the text has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// What the reader should know before believing it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The line ends before the kernel's release: its next one may hold more.
    #[serde(skip)]
    pub cut: bool,
}

/// A set flag; a bit that no known kernel uses has no letter and no name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reading {
    pub bit: u32,
    pub letter: Option<char>,
    pub name: Option<&'static str>,
    pub vendor: &'static str,
    /// What happened.
    #[serde(skip)]
    pub happened: Option<&'static str>,
}

impl Decoded {
    /// The state as the fitting tables read it; the first is believed where they disagree, and the others are shown.
    pub(super) fn of(fits: &[Fit], text: &str, mut notes: Vec<String>) -> Self {
        let mask = fits.first().map_or(Mask(0), |(_, mask)| *mask);
        let every = fits
            .iter()
            .fold(Mask(0), |all, (_, mask)| Mask(all.0 | mask.0));
        let certain = fits.split_first().and_then(|((first, _), rest)| {
            let same = rest.iter().all(|(table, _)| table.vendor == first.vendor);
            same.then_some(*first)
        });
        let mut readings: Vec<Reading> = Vec::new();
        let mut flags = Vec::new();
        for bit in every.bits() {
            let verdict = verdict(bit, fits, certain.is_some());
            if mask.has(bit) {
                flags.push(verdict.believed.unwrap_or_else(|| unknown(bit)));
            }
            if verdict.is_ambiguous {
                readings.extend(verdict.all);
            }
        }
        let unknown = flags.iter().filter(|flag| flag.name.is_none());
        let unknown: Vec<_> = unknown.map(|flag| flag.bit.to_string()).collect();
        notes.extend(unnamed(&unknown, certain));
        Self {
            mask,
            flags,
            readings,
            text: text.to_owned(),
            vendor: certain.map(|table| table.vendor),
            release: None,
            notes,
            cut: false,
        }
    }

    /// The set flags as letters; a bit that has none is written as its number, `[31]`.
    #[must_use]
    pub fn letters(&self) -> String {
        let letter = |flag: &Reading| {
            let bit = || format!("[{}]", flag.bit);
            flag.letter.map_or_else(bit, String::from)
        };
        self.flags.iter().map(letter).collect()
    }

    /// The line that it is of may be one half of it.
    pub(super) fn with_cut(mut self) -> Self {
        self.cut = true;
        self.notes
            .push("the line ends before the kernel's release: letters may be missing".to_owned());
        self
    }

    /// The release that stands behind the state: a version, or what is followed by the build's `#`.
    pub(super) fn with_release(mut self, behind: &str) -> Self {
        let mut words = behind.trim_start().split([' ', ')', '\n']);
        let word = words.next().unwrap_or_default();
        let is_built = words.next().is_some_and(|next| next.starts_with('#'));
        let is_version = word.starts_with(|first: char| first.is_ascii_digit());
        self.release = (is_version || is_built && !word.is_empty()).then(|| word.to_owned());
        self
    }
}

/// One note for all bits that have no name.
fn unnamed(bits: &[String], certain: Option<&Table>) -> Option<String> {
    let (which, are, it) = match bits {
        [] => return None,
        [bit] => (format!("bit {bit} is"), "flag", "it"),
        _ => (format!("bits {} are", bits.join(", ")), "flags", "them"),
    };
    Some(match certain {
        Some(table) => format!("{which} no {are} of {}", table.vendor),
        None => format!("{which} no upstream {are}; a vendor's kernel may use {it}"),
    })
}

struct Verdict {
    believed: Option<Reading>,
    all: Vec<Reading>,
    is_ambiguous: bool,
}

fn verdict(bit: u32, fits: &[Fit], is_certain: bool) -> Verdict {
    let setting = || fits.iter().filter(|(_, mask)| mask.has(bit));
    let knowing: Vec<(&Table, &Flag)> = setting()
        .filter_map(|(table, _)| Some((*table, table.flag(bit)?)))
        .collect();
    let first = knowing.first();
    let agreed = first.is_none_or(|(_, one)| knowing.iter().all(|(_, other)| same(one, other)));
    // Upstream prints nothing for a bit that it does not have: that may be the truth too.
    let upstream = setting().find(|(table, _)| table.vendor == VENDOR);
    let nameless = first.is_some() && upstream.is_some_and(|(table, _)| table.flag(bit).is_none());
    let disputed = setting().count() < fits.len();
    let owners = |(table, flag): &(&Table, &Flag)| table.vendor_of(flag.bit);
    let shared = first.is_some_and(|first| knowing.iter().any(|one| owners(one) != owners(first)));
    let believed =
        first.filter(|(table, _)| is_certain || !nameless && (agreed || table.vendor == VENDOR));
    Verdict {
        believed: believed.map(|(table, flag)| reading(table, flag)),
        is_ambiguous: !agreed || nameless || disputed || shared,
        all: knowing.iter().fold(Vec::new(), |mut all, (table, flag)| {
            let one = reading(table, flag);
            // Upstream's flags are the same in every table that has them.
            if !all.contains(&one) {
                all.push(one);
            }
            all
        }),
    }
}

fn same(one: &Flag, other: &Flag) -> bool {
    (one.bit, one.letter, one.name, one.happened)
        == (other.bit, other.letter, other.name, other.happened)
}

fn reading(table: &Table, flag: &Flag) -> Reading {
    Reading {
        bit: flag.bit,
        letter: Some(flag.letter),
        name: Some(flag.name),
        vendor: table.vendor_of(flag.bit),
        happened: Some(flag.happened),
    }
}

fn unknown(bit: u32) -> Reading {
    Reading {
        bit,
        letter: None,
        name: None,
        vendor: "unknown",
        happened: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::taint::tables::TABLES;

    #[test]
    fn flags_are_the_same_where_all_of_them_is() {
        let flag = |bit| crate::taint::flags::by_bit(bit).unwrap();
        assert!(same(flag(9), flag(9)));
        assert!(!same(flag(9), flag(12)));
    }

    #[test]
    fn a_release_is_a_version_or_has_a_build() {
        let release = |behind| {
            Decoded::of(&[], "", Vec::new())
                .with_release(behind)
                .release
        };
        assert_eq!(release("6.1.0").as_deref(), Some("6.1.0"));
        assert_eq!(release("syzkaller #0").as_deref(), Some("syzkaller"));
        assert_eq!(release("some words"), None);
        assert_eq!(release(")#1"), None);
    }

    /// Upstream prints nothing for a bit that it does not have: it may be the printer too.
    #[test]
    fn a_vendors_flag_is_not_believed_where_upstream_may_have_printed() {
        let upstream = TABLES.iter().find(|table| table.vendor == VENDOR).unwrap();
        let of_vendor = TABLES.iter().find_map(|table| {
            let bit =
                (0..64).find(|bit| table.flag(*bit).is_some() && upstream.flag(*bit).is_none());
            Some((table, bit?))
        });
        let (vendor, bit) = of_vendor.unwrap();
        let mask = Mask(1 << bit);
        let verdict = verdict(bit, &[(upstream, mask), (vendor, mask)], false);
        assert!(verdict.believed.is_none() && verdict.is_ambiguous);
        assert_eq!(verdict.all, [reading(vendor, vendor.flag(bit).unwrap())]);
    }
}
