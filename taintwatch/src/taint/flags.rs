//! The flags of the upstream kernel, as data.
//!
//! Source: `include/linux/panic.h` and `taint_flags[]` in `kernel/panic.c`, Linux 7.3; the numbers
//! and letters have not changed since each flag came in. Vendors use bits above 19 and 16 in their
//! own ways: a bit without an entry here is an unknown bit, and is shown as one.

use crate::event::Mask;

/// One flag of the kernel's taint mask.
#[derive(Debug, PartialEq, Eq)]
pub struct Flag {
    pub bit: u32,
    /// What the kernel prints for the flag when it is set.
    pub letter: char,
    /// The name after `TAINT_` in the source.
    pub name: &'static str,
    /// What happened, as the end of a sentence: "a proprietary module was loaded".
    pub happened: &'static str,
}

/// The vendor word of this table.
pub const VENDOR: &str = "linux";

/// Every upstream flag; the index is the bit.
pub const UPSTREAM: [Flag; 20] = [
    flag(
        0,
        'P',
        "PROPRIETARY_MODULE",
        "a proprietary module was loaded",
    ),
    flag(1, 'F', "FORCED_MODULE", "a module was force-loaded"),
    flag(
        2,
        'S',
        "CPU_OUT_OF_SPEC",
        "the kernel runs on hardware out of its specification",
    ),
    flag(3, 'R', "FORCED_RMMOD", "a module was force-unloaded"),
    flag(
        4,
        'M',
        "MACHINE_CHECK",
        "a processor reported a machine check",
    ),
    flag(
        5,
        'B',
        "BAD_PAGE",
        "a bad page or an unexpected page flag was found",
    ),
    flag(6, 'U', "USER", "userspace asked for the taint"),
    flag(7, 'D', "DIE", "the kernel died in an oops or a BUG"),
    flag(
        8,
        'A',
        "OVERRIDDEN_ACPI_TABLE",
        "an ACPI table was overridden",
    ),
    flag(9, 'W', "WARN", "the kernel issued a warning"),
    flag(10, 'C', "CRAP", "a staging driver was loaded"),
    flag(
        11,
        'I',
        "FIRMWARE_WORKAROUND",
        "the kernel works around a firmware bug",
    ),
    flag(12, 'O', "OOT_MODULE", "an out-of-tree module was loaded"),
    flag(13, 'E', "UNSIGNED_MODULE", "an unsigned module was loaded"),
    flag(14, 'L', "SOFTLOCKUP", "a soft lockup occurred"),
    flag(15, 'K', "LIVEPATCH", "the kernel was live patched"),
    flag(
        16,
        'X',
        "AUX",
        "the distribution's own auxiliary taint was set",
    ),
    flag(
        17,
        'T',
        "RANDSTRUCT",
        "the kernel was built with randomised structures",
    ),
    flag(18, 'N', "TEST", "an in-kernel test was run"),
    flag(
        19,
        'J',
        "FWCTL",
        "userspace used a mutating debug operation of fwctl",
    ),
];

const fn flag(bit: u32, letter: char, name: &'static str, happened: &'static str) -> Flag {
    Flag {
        bit,
        letter,
        name,
        happened,
    }
}

/// The flag of a bit, when upstream has one.
#[must_use]
pub fn by_bit(bit: u32) -> Option<&'static Flag> {
    UPSTREAM.get(usize::try_from(bit).ok()?)
}

/// The flag of a letter, case included: vendors use the other case for other flags.
#[must_use]
pub fn by_letter(letter: char) -> Option<&'static Flag> {
    UPSTREAM.iter().find(|flag| flag.letter == letter)
}

/// The set flags as letters; a bit that has none is written as its number, `[31]`.
#[must_use]
pub fn letters(mask: Mask) -> String {
    mask.bits()
        .map(|bit| by_bit(bit).map_or_else(|| format!("[{bit}]"), |flag| flag.letter.to_string()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_of_a_flag_is_its_bit_and_no_letter_is_used_twice() {
        for (index, flag) in UPSTREAM.iter().enumerate() {
            assert_eq!(index, flag.bit as usize, "{flag:?}");
            assert_eq!(by_letter(flag.letter), Some(flag));
        }
    }

    #[test]
    fn letters_show_unknown_bits_as_bits() {
        assert_eq!(letters(Mask(1 << 0 | 1 << 12 | 1 << 31)), "PO[31]");
    }
}
