//! Versions at which vendors' flags changed, by name.

use super::version::Version;

/// The version that each major release of Red Hat's keeps.
pub const RHEL_6: Version = Version::two_six(32);
pub const RHEL_7: Version = Version::new(3, 10);
pub const RHEL_8: Version = Version::new(4, 18);
pub const RHEL_9: Version = Version::new(5, 14);
pub const RHEL_10: Version = Version::new(6, 12);
/// Oracle's kernel 4, the only one with a flag of its own.
pub const UEK_4: Version = Version::new(4, 1);
/// SUSE's flags moved from bits 30 and 31 to 31 and 16.
pub const SUSE_BITS_MOVED: Version = Version::new(5, 3);
/// SUSE's `N` became `n`, since upstream had taken the letter.
pub const SUSE_SMALL_N: Version = Version::new(6, 11);
