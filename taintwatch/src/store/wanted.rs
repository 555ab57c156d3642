//! A flag as a user gives it; the same spelling on every command.
//!
//! In: a letter, a bit, or a name. Out: which flags it may mean. What a letter or a name means depends on the vendor of the
//! kernel.

use std::{fmt, str::FromStr};

use crate::{
    event::Taint,
    taint::{
        flags::Flag,
        tables::{TABLES, Table},
    },
};

/// A flag that a user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Bit(u32),
    Letter(char),
    /// As the sources have it, without `TAINT_`.
    Name(&'static str),
}

impl FromStr for Wanted {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.strip_prefix("TAINT_").unwrap_or(text);
        let of_letter = |flag: &Flag| text.parse() == Ok(flag.letter);
        let of_name = |flag: &Flag| flag.name.eq_ignore_ascii_case(name);
        let bit = text.parse().ok().filter(|bit| *bit < u64::BITS);
        let flags = || TABLES.iter().flat_map(Table::flags);
        bit.map(Self::Bit)
            .or_else(|| {
                flags()
                    .find(|flag| of_letter(flag))
                    .map(|flag| Self::Letter(flag.letter))
            })
            .or_else(|| {
                flags()
                    .find(|flag| of_name(flag))
                    .map(|flag| Self::Name(flag.name))
            })
            .ok_or(
                "no such flag: give a letter such as W, a bit from 0 to 63, or a name such as WARN",
            )
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // As it was asked: the letter is another one on another kernel.
            Self::Bit(bit) => bit.fmt(f),
            Self::Letter(letter) => letter.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl Wanted {
    /// Whether it names this bit by a vendor's table. A bit that the table does not know may be of any vendor.
    #[must_use]
    pub fn is(self, bit: u32, table: &Table) -> bool {
        table
            .flag(bit)
            .map_or_else(|| self.may_be(bit), |flag| self.fits(flag))
    }

    /// Whether an event is about it.
    #[must_use]
    pub fn is_of(self, taint: &Taint) -> bool {
        let own = match self {
            Self::Bit(_) => None,
            Self::Letter(letter) => taint.letter.map(|own| own == letter),
            Self::Name(name) => taint.name.as_ref().map(|own| own == name),
        };
        let cleared = taint.bits_cleared.iter().flatten().copied();
        // An event that has no letter may be of any kernel.
        own.unwrap_or_else(|| taint.set().chain(cleared).any(|bit| self.may_be(bit)))
    }

    /// Whether a bit is this in any kernel.
    fn may_be(self, bit: u32) -> bool {
        let mut known = TABLES.iter().filter_map(|table| table.flag(bit));
        self == Self::Bit(bit) || known.any(|flag| self.fits(flag))
    }

    fn fits(self, flag: &Flag) -> bool {
        match self {
            Self::Bit(bit) => flag.bit == bit,
            Self::Letter(letter) => flag.letter == letter,
            Self::Name(name) => flag.name == name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::taint::tables::LINUX;

    fn flag(text: &str) -> Wanted {
        text.parse().unwrap()
    }

    #[test]
    fn a_letter_finds_the_flags_of_every_vendor() {
        let taint = |bit, letter| Taint {
            bit: Some(bit),
            letter,
            ..Taint::default()
        };
        let n = flag("n");
        assert!(n.is_of(&taint(31, Some('n'))));
        assert!(n.is_of(&taint(31, None)), "recorded before it had a letter");
        assert!(!n.is_of(&taint(31, Some('u'))), "Red Hat's");
        assert!(flag("N").is_of(&taint(18, Some('N'))));
        assert!(!flag("31").is_of(&taint(18, Some('N'))));
        let write = Taint {
            bits_cleared: Some(vec![9]),
            ..Taint::default()
        };
        assert!(flag("W").is_of(&write) && !flag("P").is_of(&write));
        for text in ["Z", "Q", "64", "PO", "", "TAINT_"] {
            assert!(text.parse::<Wanted>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_those_of_the_sources() {
        for text in ["WARN", "warn", "TAINT_WARN"] {
            assert_eq!(flag(text), Wanted::Name("WARN"), "{text}");
        }
        let warn = flag("WARN");
        assert!(warn.is(9, LINUX) && !warn.is(8, LINUX));
        assert!(warn.is_of(&LINUX.named_flag(9)) && !warn.is_of(&LINUX.named_flag(8)));
        assert!(flag("31").is(31, LINUX) && flag("n").is(31, LINUX) && !flag("n").is(18, LINUX));
    }

    #[test]
    fn a_flag_is_shown_as_it_was_asked_for() {
        for text in ["31", "W", "WARN"] {
            assert_eq!(flag(text).to_string(), text);
        }
    }
}
