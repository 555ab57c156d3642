//! What a kernel's release shows of its vendor, and so of its taint flags.
//!
//! In: a release as `uname -r` prints it. Out: the upstream version that it is built from, the vendor where it shows,
//! and the table that reads its flags.

use super::{
    flags::UNSIGNED_MODULE_SINCE,
    milestones::{RHEL_6, RHEL_7, RHEL_8, RHEL_9, RHEL_10, SUSE_BITS_MOVED, SUSE_SMALL_N, UEK_4},
    tables::Table,
    version::Version,
};

/// A kernel's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    pub version: Version,
    /// The major release of Red Hat's family, where it is their own kernel: others build newer ones for it.
    pub el: Option<u32>,
    /// The build of Ubuntu's 3.13, the kernel of 14.04: `3.13.0-36-generic`.
    trusty: Option<u32>,
}

/// Ubuntu's 3.13 prints X in the place of E, which it has since this build: reports of 3.13.0-34 have F, those of -36 X.
const TRUSTY_UNSIGNED_SINCE: u32 = 36;

impl Release {
    /// `3.10.0-1160.el7.x86_64`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let version = Version::parse(text)?;
        let el =
            red_hat(text, version).and_then(|vendor| vendor.strip_prefix("rhel")?.parse().ok());
        let trusty = text
            .strip_prefix("3.13.0-")
            .and_then(|rest| rest.split(['-', ' ']).next()?.parse().ok());
        Some(Self {
            version,
            el,
            trusty,
        })
    }

    /// Whether a module whose signature is missing or was not verified sets F: since the check came in and before it had
    /// a flag of its own (`load_module`, `kernel/module.c`).
    #[must_use]
    pub fn marks_unsigned_with_f(&self) -> bool {
        (Version::new(3, 7)..UNSIGNED_MODULE_SINCE).contains(&self.version)
            && !self.has_unsigned_flag()
    }

    /// Whether X in its lists of modules means a module without a signature.
    #[must_use]
    pub fn prints_x_for_unsigned(&self) -> bool {
        self.trusty
            .is_some_and(|build| build >= TRUSTY_UNSIGNED_SINCE)
    }

    /// Whether a kernel that is older than upstream's flag of unsigned modules has it.
    #[must_use]
    pub fn has_unsigned_flag(&self) -> bool {
        self.el == Some(7) || self.prints_x_for_unsigned()
    }
}

/// The table of a kernel, by its release and what is printed behind it: `5.14.21-150500.55.39-default #1
/// SLE15-SP5`. None where it shows no vendor.
#[must_use]
pub fn table_of(text: &str) -> Option<&'static Table> {
    let mut words = text.split_ascii_whitespace();
    let release = words.next()?;
    let version = Version::parse(release)?;
    let behind: Vec<_> = words.take(4).collect();
    let has = |mark: &str| behind.iter().any(|word| word.starts_with(mark));
    if has("SLE") || has("openSUSE") || is_suse(release) {
        return Table::named(suse_era(version));
    }
    if release.contains(".elrepo") {
        return Table::named("linux");
    }
    if release.contains("uek") {
        return Table::named(if version == UEK_4 {
            "oracle-uek4"
        } else {
            "oracle"
        });
    }
    if let Some(vendor) = red_hat(release, version) {
        return Table::named(vendor);
    }
    let is = |marks: &[&str]| marks.iter().any(|mark| release.contains(mark));
    if is_followed_by(release, ".fc", |next| next.is_ascii_digit()) {
        Table::named("fedora")
    } else if is(&[
        "-arch",
        "-zen",
        "-MANJARO",
        "-gentoo",
        "-pve",
        "-microsoft",
        "-v7",
        "-v8",
    ]) {
        Table::named("linux")
    } else if is(&[
        "-generic",
        "-lowlatency",
        "-aws",
        "-azure",
        "-gcp",
        "-oem",
        "-ubuntu",
    ]) || has("#") && behind.iter().any(|word| word.ends_with("-Ubuntu"))
    {
        Table::named("ubuntu")
    } else if is(&[
        "+deb",
        "-amd64",
        "-686",
        "-arm64",
        "-armmp",
        "-powerpc64le",
        "-s390x",
    ]) || has("Debian")
    {
        Table::named("debian")
    } else {
        None
    }
}

/// Red Hat's kernels: the version that each release keeps, and the mark in the kernel's release.
#[rustfmt::skip]
pub(super) const RED_HAT: [(Version, &str, &str); 5] = [
    (RHEL_6, "rhel6", ".el6"),
    (RHEL_7, "rhel7", ".el7"),
    (RHEL_8, "rhel8", ".el8"),
    (RHEL_9, "rhel9", ".el9"),
    (RHEL_10, "rhel10", ".el10"),
];

/// Which of Red Hat's kernels it is.
fn red_hat(release: &str, version: Version) -> Option<&'static str> {
    let is_others = release.contains(".elrepo") || release.contains("uek");
    let its = RED_HAT.iter().find(|(base, _, mark)| {
        *base == version && is_followed_by(release, mark, |next| !next.is_ascii_digit())
    });
    its.map(|(_, vendor, _)| *vendor).filter(|_| !is_others)
}

/// `5.14.21-150500.55.39-default`, `6.4.0-150600.23-rt`, `4.12.14-lp151.28.40-default`, `3.0.101-63-default`.
fn is_suse(release: &str) -> bool {
    let build = release.split_once('-').map_or("", |(_, build)| build);
    let digits = build.bytes().take_while(u8::is_ascii_digit).count();
    let product = digits == 6 && (build.starts_with("15") || build.starts_with("16"));
    product
        || is_followed_by(build, "lp1", |next| next.is_ascii_digit())
        || build.ends_with("-default")
}

pub(super) fn suse_era(version: Version) -> &'static str {
    if version <= Version::new(3, 0) {
        "suse-sle11"
    } else if version < SUSE_BITS_MOVED {
        "suse-sle12"
    } else if version < SUSE_SMALL_N {
        "suse-sle15sp2"
    } else {
        "suse"
    }
}

fn is_followed_by(text: &str, mark: &str, fits: fn(char) -> bool) -> bool {
    text.match_indices(mark).any(|(at, _)| {
        let behind = text.get(at + mark.len()..).unwrap_or_default();
        behind.chars().next().is_none_or(fits)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_release_shows_the_vendor() {
        for (release, expected) in [
            ("4.18.0-305.el8.x86_64", "rhel8"),
            ("4.18.0-477.27.1.el8_8.x86_64 #1", "rhel8"),
            ("5.14.0-438.el9s.x86_64+rt", "rhel9"),
            ("6.12.0-54.el10.aarch64", "rhel10"),
            ("3.10.0-1062.el7.x86_64", "rhel7"),
            ("2.6.32-358.23.2.el6.x86_64", "rhel6"),
            ("6.1.0-1.el8.elrepo.x86_64", "linux"),
            ("6.1.0-1.el8.x86_64", "-"),
            ("4.1.12-124.48.6.el7uek.x86_64", "oracle-uek4"),
            ("5.15.0-8.91.4.1.el8uek.x86_64", "oracle"),
            ("6.5.6-300.fc39.x86_64", "fedora"),
            ("6.1.0-50-cloud-amd64", "debian"),
            ("6.12.38+deb13-amd64", "debian"),
            ("5.3.0-23-generic", "ubuntu"),
            ("5.15.0-1042-azure #49-Ubuntu", "ubuntu"),
            ("5.14.21-150400.14.52-azure", "suse-sle15sp2"),
            ("5.3.18-47-default #1 SLE15-SP3", "suse-sle15sp2"),
            (
                "5.14.21-20250107.el7.x86_64 #1 SLE15-SP5 (unreleased)",
                "suse-sle15sp2",
            ),
            ("6.4.0-150600.23.33-default", "suse-sle15sp2"),
            ("6.12.0-160000.3.gccf23ce-default #1", "suse"),
            ("4.12.14-122.74-default #1 SLE12-SP5", "suse-sle12"),
            ("3.0.101-63-default", "suse-sle11"),
            ("2.6.32.59-0.7-default #1", "suse-sle11"),
            ("5.4.17-pve", "linux"),
            ("6.1.0", "-"),
            ("2.6.32-358.6.1.x86_64", "-"),
            ("", "-"),
            ("default", "-"),
        ] {
            let of = table_of(release).map_or("-", |table| table.vendor);
            assert_eq!(of, expected, "{release}");
        }
    }

    #[test]
    fn f_meant_no_signature_until_it_had_a_flag_of_its_own() {
        for (release, expected) in [
            ("3.6.11", false),
            ("3.7.5-hardened", true),
            ("3.13.0-34-generic", true),
            ("3.13.0-36-generic", false),
            ("3.14.2-200.fc20.x86_64", true),
            ("3.15.0", false),
            ("3.10.0-1160.el7.x86_64", false),
        ] {
            let release = Release::parse(release).unwrap();
            assert_eq!(release.marks_unsigned_with_f(), expected, "{release:?}");
        }
    }

    #[test]
    fn versions_and_major_releases_of_red_hat() {
        let of = |text| Release::parse(text).map(|release| (release.version, release.el));
        assert_eq!(of("3.10.0-1160.el7.x86_64"), Some((RHEL_7, Some(7))));
        assert_eq!(of("2.6.32-754.el6.i686"), Some((RHEL_6, Some(6))));
        assert_eq!(of("6.12-rc1"), Some((Version::new(6, 12), None)));
        assert_eq!(
            of("3.8.13-118.el6uek.x86_64"),
            Some((Version::new(3, 8), None))
        );
        assert_eq!(
            of("6.1.0-1.el8.elrepo.x86_64"),
            Some((Version::new(6, 1), None))
        );
        assert_eq!(of("7.3.4+deb14-amd64"), Some((Version::new(7, 3), None)));
        assert_eq!(of("next"), None);
    }

    proptest! {
        #[test]
        fn never_panics(release: String, digits in "[0-9.-]{0,40}") {
            for text in [&release, &digits] {
                _ = table_of(text);
                _ = Release::parse(text);
            }
        }
    }
}
