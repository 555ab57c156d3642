//! Every table, as data.

use super::{Family, Table};
use crate::{
    event::Mask,
    taint::{
        flags::{Flag, bit, flag},
        milestones,
        version::Version,
    },
};

const NO_SUPPORT: &str = "SUSE may not support a kernel with it: an unsupported module was loaded";
const EXTERNAL: &str =
    "SUSE supports a kernel with it: a module that its vendor supports was loaded";
const PREVIEW: &str = "a technology preview was used";
const REMOVED: &str = "hardware or a driver without support any more was used";
const UNPRIVILEGED: &str = "BPF was opened to users without privileges";

/// Up to 4.12 (`patches.suse/supported-flag`).
#[rustfmt::skip]
const SUSE_OLD: [Flag; 2] = [
    flag(bit::SUSE_OLD_NO_SUPPORT, 'N', "NO_SUPPORT", NO_SUPPORT, Version::two_six(25)),
    flag(bit::SUSE_OLD_EXTERNAL_SUPPORT, 'X', "EXTERNAL_SUPPORT", EXTERNAL, Version::two_six(25)),
];
#[rustfmt::skip]
const SUSE_53: [Flag; 2] = [
    flag(bit::SUSE_EXTERNAL_SUPPORT, 'X', "EXTERNAL_SUPPORT", EXTERNAL, milestones::SUSE_BITS_MOVED),
    flag(bit::SUSE_NO_SUPPORT, 'N', "NO_SUPPORT", NO_SUPPORT, milestones::SUSE_BITS_MOVED),
];
#[rustfmt::skip]
const SUSE_NOW: [Flag; 2] = [
    flag(bit::SUSE_EXTERNAL_SUPPORT, 'X', "EXTERNAL_SUPPORT", EXTERNAL, milestones::SUSE_BITS_MOVED),
    flag(bit::SUSE_NO_SUPPORT, 'n', "NO_SUPPORT", NO_SUPPORT, milestones::SUSE_SMALL_N),
];
/// Bit 27 is set by the boot parameter `OMGZOMBIES` only; its letter is not known here.
#[rustfmt::skip]
const RED_HAT_6: [Flag; 2] = [
    flag(bit::RED_HAT_HARDWARE_UNSUPPORTED, 'H', "HARDWARE_UNSUPPORTED", "hardware without support was found", milestones::RHEL_6),
    flag(bit::RED_HAT_TECH_PREVIEW, 'T', "TECH_PREVIEW", PREVIEW, milestones::RHEL_6),
];
#[rustfmt::skip]
const RED_HAT_8: [Flag; 3] = [
    flag(bit::RED_HAT_SUPPORT_REMOVED, 'r', "SUPPORT_REMOVED", REMOVED, milestones::RHEL_8),
    flag(bit::RED_HAT_TECH_PREVIEW, 't', "TECH_PREVIEW", PREVIEW, milestones::RHEL_8),
    flag(bit::RED_HAT_8_UNPRIVILEGED_BPF, 'u', "UNPRIVILEGED_BPF", UNPRIVILEGED, milestones::RHEL_8),
];
#[rustfmt::skip]
const RED_HAT_9: [Flag; 4] = [
    flag(bit::AUX, 'X', "AUX", PREVIEW, milestones::RHEL_9),
    flag(bit::RED_HAT_PARTNER_SUPPORTED, 'p', "PARTNER_SUPPORTED", "a module that a partner supports was loaded", milestones::RHEL_9),
    flag(bit::RED_HAT_SUPPORT_REMOVED, 'h', "SUPPORT_REMOVED", REMOVED, milestones::RHEL_9),
    flag(bit::RED_HAT_UNPRIVILEGED_BPF, 'u', "UNPRIVILEGED_BPF", UNPRIVILEGED, milestones::RHEL_9),
];
#[rustfmt::skip]
const FEDORA: [Flag; 3] = [
    flag(bit::RED_HAT_PARTNER_SUPPORTED, 'p', "PARTNER_SUPPORTED", "a module that a partner supports was loaded", milestones::RHEL_9),
    flag(bit::RED_HAT_SUPPORT_REMOVED, 'h', "SUPPORT_REMOVED", REMOVED, milestones::RHEL_9),
    flag(bit::RED_HAT_UNPRIVILEGED_BPF, 'u', "UNPRIVILEGED_BPF", UNPRIVILEGED, milestones::RHEL_9),
];
#[rustfmt::skip]
const DEBIAN: [Flag; 1] = [
    flag(bit::AUX, 'X', "AUX", "fanotify permission marks or btrfs RAID 5 or 6 was used", Version::new(5, 10)),
];
#[rustfmt::skip]
const UEK4: [Flag; 1] = [
    flag(bit::AUX, '?', "NO_RETPOLINE", "a module built without retpolines was loaded", milestones::UEK_4),
];

/// The places from the first to the last.
const fn places(first: u32, last: u32) -> Mask {
    Mask(((1 << (last - first + 1)) - 1) << first)
}

const NONE: Mask = Mask(0);
/// No last version yet.
const NEWEST: Version = Version::new(u32::MAX, 0);

const fn plain(
    vendor: &'static str,
    family: Family,
    title: &'static str,
    source: &'static str,
    own: &'static [Flag],
) -> Table {
    Table {
        vendor,
        family,
        title,
        source,
        kernels: (Version::two_six(0), NEWEST),
        upstream: 20,
        own,
        reserved: NONE,
        sometimes: NONE,
        width: 5..=20,
        packed: false,
    }
}

/// Upstream.
pub static LINUX: &Table = &TABLES[0];

/// Every table, upstream first, each vendor's newest before its older ones.
pub static TABLES: [Table; 15] = [
    plain(
        "linux",
        Family::Linux,
        "kernel.org, and distributions that use its kernels unchanged",
        "include/linux/panic.h and kernel/panic.c up to 7.3; include/linux/kernel.h before 5.14",
        &[],
    ),
    Table {
        vendor: "suse",
        family: Family::Suse,
        title: "SUSE and openSUSE, kernels from 6.11 on (SLE 16, Tumbleweed)",
        source: "openSUSE kernel-source, patches.suse/add-suse-supported-flag.patch; an oops of 6.12.0-160000.3-default",
        kernels: (milestones::SUSE_SMALL_N, NEWEST),
        upstream: 20,
        own: &SUSE_NOW,
        reserved: NONE,
        sometimes: NONE,
        width: 17..=32,
        packed: true,
    },
    Table {
        vendor: "suse-sle15sp2",
        family: Family::Suse,
        title: "SUSE and openSUSE, kernels 5.3 to 6.10 (SLE 15 SP2 to SP7, Leap 15.2 to 15.6)",
        source: "openSUSE kernel-source, patches.suse/add-suse-supported-flag.patch and panic-do-not-print-uninitialized-taint_flags.patch; oopses of SLE15-SP3 and SP5",
        kernels: (milestones::SUSE_BITS_MOVED, Version::new(6, 10)),
        upstream: 19,
        own: &SUSE_53,
        reserved: NONE,
        sometimes: NONE,
        width: 17..=32,
        packed: true,
    },
    Table {
        vendor: "suse-sle12",
        family: Family::Suse,
        title: "SUSE and openSUSE, kernels 3.1 to 4.19 (SLE 12, SLE 15 and 15 SP1, Leap up to 15.1)",
        source: "openSUSE kernel-source, patches.suse/supported-flag at 4.4 and 4.10",
        kernels: (Version::new(3, 1), Version::new(5, 2)),
        upstream: 16,
        own: &SUSE_OLD,
        reserved: NONE,
        sometimes: NONE,
        width: 13..=32,
        packed: true,
    },
    Table {
        vendor: "suse-sle11",
        family: Family::Suse,
        title: "SUSE and openSUSE, kernels 2.6.25 to 3.0 (SLE 11)",
        source: "openSUSE kernel-source, patches.suse/supported-flag; an oops of 2.6.32.59-0.7-default",
        kernels: (Version::two_six(25), Version::new(3, 0)),
        upstream: 12,
        own: &SUSE_OLD,
        reserved: NONE,
        sometimes: NONE,
        width: 11..=16,
        packed: true,
    },
    Table {
        vendor: "rhel10",
        family: Family::RedHat,
        title: "Red Hat Enterprise Linux 10 and its rebuilds",
        source: "Fedora ARK and CentOS Stream trees; oopses of 6.12.0-54.el10 and -116.el10",
        kernels: (milestones::RHEL_10, milestones::RHEL_10),
        upstream: 19,
        own: &RED_HAT_9,
        reserved: Mask(places(19, 25).0 | places(28, 30).0),
        sometimes: Mask(places(26, 26).0),
        width: 32..=32,
        packed: false,
    },
    Table {
        vendor: "rhel9",
        family: Family::RedHat,
        title: "Red Hat Enterprise Linux 9 and its rebuilds",
        source: "Fedora ARK and CentOS Stream trees; oopses of 5.14.0-284.el9 to -578.el9",
        kernels: (milestones::RHEL_9, milestones::RHEL_9),
        upstream: 19,
        own: &RED_HAT_9,
        reserved: Mask(places(19, 25).0 | places(28, 30).0),
        // TEST came with a later minor release.
        sometimes: Mask(places(18, 18).0),
        width: 32..=32,
        packed: false,
    },
    Table {
        vendor: "rhel8",
        family: Family::RedHat,
        title: "Red Hat Enterprise Linux 8 and its rebuilds",
        source: "kernel-src-tree of rebuilds at 4.18; oopses of 4.18.0-147.el8 to -477.el8",
        kernels: (milestones::RHEL_8, milestones::RHEL_8),
        upstream: 18,
        own: &RED_HAT_8,
        reserved: Mask(places(18, 26).0 | places(28, 28).0 | places(31, 31).0),
        // Support removed and unprivileged BPF came with later minor releases.
        sometimes: Mask(places(27, 27).0 | places(30, 30).0),
        width: 32..=32,
        packed: false,
    },
    Table {
        vendor: "rhel7",
        family: Family::RedHat,
        title: "Red Hat Enterprise Linux 7 and its rebuilds",
        source: "oopses of 3.10.0-514.el7 to -1152.el7",
        kernels: (milestones::RHEL_7, milestones::RHEL_7),
        upstream: 16,
        own: &RED_HAT_6,
        reserved: places(16, 27),
        // Soft lockup and live patch came with later minor releases.
        sometimes: places(14, 15),
        width: 30..=32,
        packed: false,
    },
    Table {
        vendor: "rhel6",
        family: Family::RedHat,
        title: "Red Hat Enterprise Linux 6 and its rebuilds",
        source: "include/linux/kernel.h of 2.6.32-el6; oopses of 2.6.32-358.el6",
        kernels: (milestones::RHEL_6, milestones::RHEL_6),
        upstream: 12,
        own: &RED_HAT_6,
        reserved: places(12, 26),
        sometimes: places(27, 27),
        width: 30..=32,
        packed: false,
    },
    Table {
        vendor: "fedora",
        family: Family::Fedora,
        title: "Fedora; rawhide's lines show reserved places, releases' do not",
        source: "Fedora ARK tree; oopses of 6.12.0-0.rc0.fc42 and of released kernels",
        kernels: (Version::two_six(0), NEWEST),
        upstream: 20,
        own: &FEDORA,
        reserved: NONE,
        sometimes: Mask(places(18, 25).0 | places(28, 30).0),
        width: 10..=32,
        packed: false,
    },
    plain(
        "debian",
        Family::Debian,
        "Debian",
        "Debian's linux 5.10 to 7.3: fs/notify/fanotify/fanotify_user.c, fs/btrfs/disk-io.c and super.c",
        &DEBIAN,
    ),
    plain(
        "ubuntu",
        Family::Ubuntu,
        "Ubuntu: as upstream, as far as known",
        "no flag of its own was found in its trees",
        &[],
    ),
    plain(
        "oracle",
        Family::Oracle,
        "Oracle's Unbreakable Enterprise Kernel: as upstream",
        "linux-uek at 6.18",
        &[],
    ),
    Table {
        vendor: "oracle-uek4",
        family: Family::Oracle,
        title: "Oracle's Unbreakable Enterprise Kernel 4 (4.1)",
        source: "Oracle's drgn-tools: TAINT_NO_RETPOLINE is 16; the letter is not known here",
        kernels: (milestones::UEK_4, milestones::UEK_4),
        upstream: 16,
        own: &UEK4,
        reserved: NONE,
        sometimes: NONE,
        width: 10..=17,
        packed: false,
    },
];
