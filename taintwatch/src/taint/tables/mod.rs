//! The flags of each vendor's kernels: one table for each vendor and era.
//!
//! In: a bit or a letter. Out: the flag that this vendor's kernel means by it. A table is upstream's
//! first flags and the vendor's own over them; each names its sources.

mod own;

use std::ops::RangeInclusive;

use super::{
    flags::{Flag, UPSTREAM, VENDOR, bit},
    version::Version,
};
use crate::event::{Mask, Taint};
pub use own::{LINUX, TABLES};

/// A vendor: the tables of its eras share explanations and support policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Linux,
    Suse,
    RedHat,
    Fedora,
    Debian,
    Ubuntu,
    Oracle,
}

/// The flags of one vendor's kernels in one era.
#[derive(Debug)]
pub struct Table {
    /// The word of `--vendor`, and of `vendor` in JSON.
    pub vendor: &'static str,
    pub family: Family,
    /// Which kernels these are.
    pub title: &'static str,
    /// Where it was read.
    pub source: &'static str,
    /// The first and the last version of these kernels.
    kernels: (Version, Version),
    /// How many of upstream's flags these kernels have.
    upstream: usize,
    /// The vendor's own flags, by bit; one may stand in the place of upstream's.
    own: &'static [Flag],
    /// The places that a kernel's line shows as `-` when clear and as `?` when set.
    reserved: Mask,
    /// Places that some of these kernels show so.
    sometimes: Mask,
    /// How many places a line has.
    width: RangeInclusive<usize>,
    /// Own flags above upstream's are printed close behind upstream's, not at the place of their bit.
    packed: bool,
}

impl Table {
    /// The table of a vendor word.
    #[must_use]
    pub fn named(vendor: &str) -> Option<&'static Self> {
        TABLES.iter().find(|table| table.vendor == vendor)
    }

    /// Whether a kernel of this version can be one of these.
    #[must_use]
    pub fn covers(&self, version: Version) -> bool {
        let (first, last) = self.kernels;
        (first..=last).contains(&version)
    }

    /// The flag of a bit, when these kernels have one.
    #[must_use]
    pub fn flag(&self, bit: u32) -> Option<&'static Flag> {
        let own = self.own.iter().find(|flag| flag.bit == bit);
        own.or_else(|| self.upstream().get(usize::try_from(bit).ok()?))
    }

    /// The vendor that defines a bit: upstream, this vendor, or unknown.
    #[must_use]
    pub fn vendor_of(&self, bit: u32) -> &'static str {
        if self.own.iter().any(|flag| flag.bit == bit) {
            self.vendor
        } else if self.flag(bit).is_some() {
            VENDOR
        } else {
            "unknown"
        }
    }

    /// Every flag, by bit.
    pub fn flags(&self) -> impl Iterator<Item = &'static Flag> {
        (0..u64::BITS).filter_map(|bit| self.flag(bit))
    }

    /// The flags of a letter, case included. Mostly one: some kernels print two flags alike.
    pub fn by_letter(&self, letter: char) -> impl Iterator<Item = &'static Flag> {
        self.flags().filter(move |flag| flag.letter == letter)
    }

    /// A flag of an event, named as these kernels name it.
    #[must_use]
    pub fn named_flag(&self, bit: u32) -> Taint {
        let flag = self.flag(bit);
        Taint {
            bit: Some(bit),
            letter: flag.map(|flag| flag.letter),
            name: flag.map(|flag| flag.name.to_owned()),
            vendor: flag.map(|_| self.vendor_of(bit).to_owned()),
            count: Some(1),
            ..Taint::default()
        }
    }

    /// A flag that was set, or set again.
    #[must_use]
    pub fn taint(&self, bit: u32, before: Mask) -> Taint {
        Taint {
            first: Some(!before.has(bit)),
            mask_before: Some(before),
            mask_after: Some(before.with(bit)),
            ..self.named_flag(bit)
        }
    }

    /// The set flags as letters; a bit that has none is written as its number, `[31]`.
    #[must_use]
    pub fn letters(&self, mask: Mask) -> String {
        let letter = |bit| {
            self.flag(bit)
                .map_or_else(|| format!("[{bit}]"), |flag| flag.letter.to_string())
        };
        mask.bits().map(letter).collect()
    }

    /// What the places of a kernel's line say, when they can be of such a kernel. `whole`: no place at
    /// the end can be missing.
    #[must_use]
    pub fn read(&self, places: &str, whole: bool) -> Option<Mask> {
        let width = places.chars().count();
        if width > *self.width.end() || whole && width < *self.width.start() {
            return None;
        }
        let mut mask = Mask(0);
        for (bit, place) in (0..).zip(places.chars()) {
            if let Some(set) = self.place(bit, place)? {
                mask = mask.with(set);
            }
        }
        Some(mask)
    }

    /// The bit that one place says is set, if any; `None` when such a kernel does not print that there.
    #[expect(
        clippy::option_option,
        reason = "three answers: not of this kernel, clear, set"
    )]
    fn place(&self, at: u32, place: char) -> Option<Option<u32>> {
        let reserved = self.reserved.has(at);
        let flag = self.at_place(at, place);
        match place {
            _ if flag.is_some() => Some(flag.map(|flag| flag.bit)),
            ' ' if !reserved => Some(None),
            'G' if at == 0 => Some(None),
            // Ubuntu's 3.13 has upstream's patch with the letter that it had at first.
            'X' if at == bit::UNSIGNED_MODULE && self.family == Family::Ubuntu => Some(Some(at)),
            '-' if reserved || self.sometimes.has(at) => Some(None),
            '?' if reserved || self.sometimes.has(at) => Some(Some(at)),
            _ => None,
        }
    }

    fn at_place(&self, at: u32, letter: char) -> Option<&'static Flag> {
        let own = || {
            let behind = usize::try_from(at).is_ok_and(|at| at >= self.upstream.min(FEWEST));
            let close = |flag: &&Flag| flag.letter == letter && flag.bit > at;
            self.own
                .iter()
                .find(close)
                .filter(|_| self.packed && behind)
        };
        self.flag(at)
            .filter(|flag| flag.letter == letter)
            .or_else(own)
    }

    fn upstream(&self) -> &'static [Flag] {
        UPSTREAM.get(..self.upstream).unwrap_or(&UPSTREAM)
    }
}

/// Upstream's places in the oldest kernel of a table that packs (2.6.27: up to W, or C).
const FEWEST: usize = 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_table_is_upstream_with_the_vendors_own_flags_over_it() {
        let suse = Table::named("suse").unwrap();
        assert_eq!(suse.flag(18).unwrap().name, "TEST");
        assert_eq!(suse.vendor_of(18), "linux");
        assert_eq!(suse.flag(31).unwrap().letter, 'n');
        assert_eq!(suse.vendor_of(31), "suse");
        assert_eq!(suse.vendor_of(30), "unknown");
        assert_eq!(suse.letters(Mask(1 << 16 | 1 << 30 | 1 << 31)), "X[30]n");
        let old = Table::named("suse-sle12").unwrap();
        assert_eq!(old.letters(Mask(1 << 12 | 1 << 30 | 1 << 31)), "ONX");
        let bits = |vendor, letter| -> Vec<_> {
            let table = Table::named(vendor).unwrap();
            table.by_letter(letter).map(|flag| flag.bit).collect()
        };
        assert_eq!(
            bits("suse-sle15sp2", 'N'),
            [18, 31],
            "two flags, one letter"
        );
        assert_eq!(bits("rhel6", 'T'), [29]);
        assert!(bits("linux", 'n').is_empty());
    }

    #[test]
    fn each_table_has_its_own_vendor_word_and_ordered_flags() {
        for (index, table) in TABLES.iter().enumerate() {
            let again = TABLES.iter().skip(index + 1);
            assert!(again.clone().all(|other| other.vendor != table.vendor));
            assert!(table.own.is_sorted_by_key(|flag| flag.bit));
            assert!(table.own.iter().all(|flag| !table.reserved.has(flag.bit)));
            assert!(!table.source.is_empty() && !table.title.is_empty());
        }
        assert_eq!(TABLES[0].vendor, VENDOR);
    }

    #[test]
    fn places_are_read_by_the_table_that_printed_them() {
        let fits = |places: &str| -> Vec<_> {
            let read = |table: &'static Table| Some((table.vendor, table.read(places, true)?.0));
            TABLES.iter().filter_map(read).collect()
        };
        // Red Hat 8 and 9 reserve other places.
        assert_eq!(fits("G           OE    --------- -  -"), [("rhel8", 12288)]);
        assert_eq!(fits("P           ---------------   "), [("rhel6", 1)]);
        assert_eq!(fits("P           OE  ------------  "), [("rhel7", 12289)]);
        let nine = fits("G        W         -------  --- ");
        assert!(nine.iter().all(|(_, mask)| *mask == 512));
        assert!(
            nine.iter().any(|(vendor, _)| *vendor == "rhel9"),
            "{nine:?}"
        );
        // SUSE prints its own flags close behind upstream's.
        let suse = fits("P           OE  X  N");
        assert!(
            suse.contains(&("suse-sle15sp2", 1 | 3 << 12 | 1 << 16 | 1 << 31)),
            "{suse:?}"
        );
        assert_eq!(fits("G                   n"), [("suse", 1 << 31)]);
        assert!(fits("P          N ").contains(&("suse-sle11", 1 | 1 << 30)));
        // Ubuntu's 3.13, from the build on that knows modules without a signature.
        assert!(fits("P           OX").contains(&("ubuntu", 12289)));
        // A letter out of its place is of no table.
        assert_eq!(fits("P O E         "), []);
    }

    /// As a kernel of this table prints it.
    fn printed(table: &Table, mask: Mask) -> String {
        let place = |bit: u32| match table.flag(bit) {
            Some(flag) if mask.has(bit) => flag.letter,
            None if mask.has(bit) => '?',
            _ if bit == 0 => 'G',
            _ if table.reserved.has(bit) => '-',
            _ => ' ',
        };
        let last = u32::try_from(*table.width.end()).unwrap();
        if table.packed {
            let above = table
                .own
                .iter()
                .map(|flag| flag.bit)
                .filter(|bit| *bit >= 17);
            let upstream = 0..u32::try_from(table.upstream).unwrap();
            return upstream.chain(above).map(place).collect();
        }
        (0..last).map(place).collect()
    }

    proptest! {
        #[test]
        fn what_a_table_prints_it_reads(index in 0..TABLES.len(), bits: u32) {
            let table = &TABLES[index];
            let known = table.flags().fold(Mask(0), |mask, flag| mask.with(flag.bit));
            let mask = Mask(u64::from(bits) & known.0);
            let text = printed(table, mask);
            prop_assert_eq!(table.read(&text, true), Some(mask), "{}: {:?}", table.vendor, text);
        }

        #[test]
        fn reading_never_panics(index in 0..TABLES.len(), text: String, whole: bool) {
            _ = TABLES[index].read(&text, whole);
        }
    }
}
