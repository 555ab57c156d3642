//! The flags of the upstream kernel, as data.
//!
//! Source: `include/linux/panic.h` and `taint_flags[]` in `kernel/panic.c`, Linux 7.3; the numbers
//! and letters have not changed since each flag came in. Vendors use bits above 19 and 16 in their
//! own ways (`tables`): a bit without an entry here is an unknown bit, and is shown as one.

use super::version::Version;

/// One flag of a kernel's taint mask.
#[derive(Debug, PartialEq, Eq)]
pub struct Flag {
    pub bit: u32,
    /// What the kernel prints for the flag when it is set.
    pub letter: char,
    /// The name after `TAINT_` in the source.
    pub name: &'static str,
    /// What happened, as the end of a sentence: "a proprietary module was loaded".
    pub happened: &'static str,
    /// The first version that has it; distributions brought some into older ones.
    pub since: Version,
}

/// The bit of each upstream flag, by its name.
pub mod bit {
    pub const PROPRIETARY_MODULE: u32 = 0;
    pub const FORCED_MODULE: u32 = 1;
    pub const CPU_OUT_OF_SPEC: u32 = 2;
    pub const FORCED_RMMOD: u32 = 3;
    pub const MACHINE_CHECK: u32 = 4;
    pub const BAD_PAGE: u32 = 5;
    pub const USER: u32 = 6;
    pub const DIE: u32 = 7;
    pub const OVERRIDDEN_ACPI_TABLE: u32 = 8;
    pub const WARN: u32 = 9;
    pub const CRAP: u32 = 10;
    pub const FIRMWARE_WORKAROUND: u32 = 11;
    pub const OOT_MODULE: u32 = 12;
    pub const UNSIGNED_MODULE: u32 = 13;
    pub const SOFTLOCKUP: u32 = 14;
    pub const LIVEPATCH: u32 = 15;
    pub const AUX: u32 = 16;
    pub const RANDSTRUCT: u32 = 17;
    pub const TEST: u32 = 18;
    pub const FWCTL: u32 = 19;

    // Vendors' own; which kernels have them is in `tables`.
    pub const SUSE_EXTERNAL_SUPPORT: u32 = AUX;
    pub const SUSE_NO_SUPPORT: u32 = 31;
    /// Before 5.3.
    pub const SUSE_OLD_EXTERNAL_SUPPORT: u32 = 31;
    pub const SUSE_OLD_NO_SUPPORT: u32 = 30;
    pub const RED_HAT_PARTNER_SUPPORTED: u32 = 26;
    pub const RED_HAT_SUPPORT_REMOVED: u32 = 27;
    pub const RED_HAT_HARDWARE_UNSUPPORTED: u32 = 28;
    /// Up to RHEL 8; later ones set `AUX`.
    pub const RED_HAT_TECH_PREVIEW: u32 = 29;
    pub const RED_HAT_8_UNPRIVILEGED_BPF: u32 = 30;
    pub const RED_HAT_UNPRIVILEGED_BPF: u32 = 31;
}

/// The vendor word of this table.
pub const VENDOR: &str = "linux";

/// Of every kernel that this program meets.
const ALWAYS: Version = Version::two_six(0);

/// Older kernels print the same texts and set another flag, or none.
pub const UNSIGNED_MODULE_SINCE: Version = Version::new(3, 15);
pub const SOFTLOCKUP_SINCE: Version = Version::new(3, 17);
pub const TEST_SINCE: Version = Version::new(6, 0);

/// Every upstream flag; the index is the bit.
#[rustfmt::skip]
pub const UPSTREAM: [Flag; 20] = [
    flag(bit::PROPRIETARY_MODULE, 'P', "PROPRIETARY_MODULE", "a proprietary module was loaded", ALWAYS),
    flag(bit::FORCED_MODULE, 'F', "FORCED_MODULE", "a module was loaded without the check that it fits the kernel", ALWAYS),
    flag(bit::CPU_OUT_OF_SPEC, 'S', "CPU_OUT_OF_SPEC", "the kernel runs on hardware out of its specification", ALWAYS),
    flag(bit::FORCED_RMMOD, 'R', "FORCED_RMMOD", "a module was force-unloaded", ALWAYS),
    flag(bit::MACHINE_CHECK, 'M', "MACHINE_CHECK", "a processor reported a machine check", ALWAYS),
    flag(bit::BAD_PAGE, 'B', "BAD_PAGE", "a bad page or an unexpected page flag was found", ALWAYS),
    flag(bit::USER, 'U', "USER", "userspace asked for the taint", Version::two_six(21)),
    flag(bit::DIE, 'D', "DIE", "the kernel died in an oops or a BUG", Version::two_six(23)),
    flag(bit::OVERRIDDEN_ACPI_TABLE, 'A', "OVERRIDDEN_ACPI_TABLE", "an ACPI table was overridden", Version::two_six(25)),
    flag(bit::WARN, 'W', "WARN", "the kernel issued a warning", Version::two_six(26)),
    flag(bit::CRAP, 'C', "CRAP", "a staging driver was loaded", Version::two_six(28)),
    flag(bit::FIRMWARE_WORKAROUND, 'I', "FIRMWARE_WORKAROUND", "the kernel works around a firmware bug", Version::two_six(35)),
    flag(bit::OOT_MODULE, 'O', "OOT_MODULE", "an out-of-tree module was loaded", Version::new(3, 2)),
    flag(bit::UNSIGNED_MODULE, 'E', "UNSIGNED_MODULE", "an unsigned module was loaded", UNSIGNED_MODULE_SINCE),
    flag(bit::SOFTLOCKUP, 'L', "SOFTLOCKUP", "a soft lockup occurred", SOFTLOCKUP_SINCE),
    flag(bit::LIVEPATCH, 'K', "LIVEPATCH", "the kernel was live patched", Version::new(4, 0)),
    flag(bit::AUX, 'X', "AUX", "the distribution's own auxiliary taint was set", Version::new(4, 15)),
    flag(bit::RANDSTRUCT, 'T', "RANDSTRUCT", "the kernel was built with randomised structures", Version::new(4, 17)),
    flag(bit::TEST, 'N', "TEST", "an in-kernel test was run", TEST_SINCE),
    flag(bit::FWCTL, 'J', "FWCTL", "userspace used a mutating debug operation of fwctl", Version::new(6, 15)),
];

/// A flag of these properties.
pub(super) const fn flag(
    bit: u32,
    letter: char,
    name: &'static str,
    happened: &'static str,
    since: Version,
) -> Flag {
    Flag {
        bit,
        letter,
        name,
        happened,
        since,
    }
}

/// The flag of a bit, when upstream has one.
#[must_use]
pub fn by_bit(bit: u32) -> Option<&'static Flag> {
    UPSTREAM.get(usize::try_from(bit).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_of_a_flag_is_its_bit_and_no_letter_is_used_twice() {
        for (index, flag) in UPSTREAM.iter().enumerate() {
            assert_eq!(index, flag.bit as usize, "{flag:?}");
            let same = UPSTREAM.iter().find(|other| other.letter == flag.letter);
            assert_eq!(same, Some(flag));
        }
    }

    #[test]
    fn flags_came_in_the_order_of_their_bits() {
        assert!(UPSTREAM.is_sorted_by_key(|flag| flag.since));
    }
}
