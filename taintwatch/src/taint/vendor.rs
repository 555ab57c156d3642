//! Whose kernel is meant, as people say it and as machines show it.
//!
//! In: the word after `--vendor`, os-release, a kernel's release. Out: the table that reads its flags, or
//! none where that is not certain. A release says more than os-release does: a container's os-release is
//! not its kernel's.

use std::fs;

use super::{flags::Version, tables::Table};

/// Whose flags to read; the newest era of a vendor has no suffix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Vendor {
    /// What the text shows, else this machine's
    #[default]
    Auto,
    /// kernel.org
    Linux,
    /// SUSE from 6.11 on (SLE 16, Tumbleweed)
    Suse,
    /// SUSE 5.3 to 6.10 (SLE 15 SP2 to SP7)
    #[value(name = "suse-sle15sp2")]
    SuseSle15sp2,
    /// SUSE 3.1 to 4.19 (SLE 12, 15, 15 SP1)
    #[value(name = "suse-sle12")]
    SuseSle12,
    /// SUSE up to 3.0
    #[value(name = "suse-sle11")]
    SuseSle11,
    Rhel10,
    Rhel9,
    Rhel8,
    Rhel7,
    Rhel6,
    Fedora,
    Debian,
    Ubuntu,
    Oracle,
    /// Oracle's kernel 4.1
    #[value(name = "oracle-uek4")]
    OracleUek4,
}

impl Vendor {
    /// The table; none for `auto`.
    #[must_use]
    pub fn table(self) -> Option<&'static Table> {
        let value = clap::ValueEnum::to_possible_value(&self)?;
        Table::named(value.get_name())
    }
}

/// The table of this machine's kernel, when os-release or the release tells. An absent file is no error.
#[must_use]
pub fn local() -> Option<&'static Table> {
    let release = crate::kernel::identity::release().unwrap_or_default();
    let os_release = fs::read_to_string("/etc/os-release")
        .or_else(|_absent| fs::read_to_string("/usr/lib/os-release"))
        .unwrap_or_default();
    of_machine(&os_release, &release)
}

/// The table of a machine, by its os-release and `uname -r`.
#[must_use]
pub fn of_machine(os_release: &str, release: &str) -> Option<&'static Table> {
    of_release(release).or_else(|| of_os_release(os_release, release))
}

/// The table of a kernel, by its release and what is printed behind it: `5.14.21-150500.55.39-default #1
/// SLE15-SP5`. None where nobody's mark is on it.
#[must_use]
pub fn of_release(text: &str) -> Option<&'static Table> {
    let mut words = text.split_ascii_whitespace();
    let release = words.next()?;
    let version = version(release)?;
    let behind: Vec<_> = words.take(4).collect();
    let has = |mark: &str| behind.iter().any(|word| word.starts_with(mark));
    if has("SLE") || has("openSUSE") || is_suse(release) {
        return Table::named(suse_era(version));
    }
    if release.contains(".elrepo") {
        return Table::named("linux");
    }
    if release.contains("uek") {
        return Table::named(if version == (4, 1) {
            "oracle-uek4"
        } else {
            "oracle"
        });
    }
    if let Some(red_hat) = RED_HAT.iter().find(|(base, _, mark)| {
        *base == version && is_followed_by(release, mark, |next| !next.is_ascii_digit())
    }) {
        return Table::named(red_hat.1);
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
const RED_HAT: [(Version, &str, &str); 5] = [
    ((2, 632), "rhel6", ".el6"),
    ((3, 10), "rhel7", ".el7"),
    ((4, 18), "rhel8", ".el8"),
    ((5, 14), "rhel9", ".el9"),
    ((6, 12), "rhel10", ".el10"),
];

/// `5.14.21-150500.55.39-default`, `6.4.0-150600.23-rt`, `4.12.14-lp151.28.40-default`, `3.0.101-63-default`.
fn is_suse(release: &str) -> bool {
    let build = release.split_once('-').map_or("", |(_, build)| build);
    let digits = build.bytes().take_while(u8::is_ascii_digit).count();
    let product = digits == 6 && (build.starts_with("15") || build.starts_with("16"));
    product
        || is_followed_by(build, "lp1", |next| next.is_ascii_digit())
        || build.ends_with("-default")
}

fn suse_era(version: Version) -> &'static str {
    match version {
        (..3, _) | (3, 0) => "suse-sle11",
        (3 | 4, _) | (5, ..3) => "suse-sle12",
        (5, _) | (6, ..11) => "suse-sle15sp2",
        _ => "suse",
    }
}

fn is_followed_by(text: &str, mark: &str, fits: fn(char) -> bool) -> bool {
    text.match_indices(mark).any(|(at, _)| {
        let behind = text.get(at + mark.len()..).unwrap_or_default();
        behind.chars().next().is_none_or(fits)
    })
}

/// The version that a release begins with.
#[must_use]
pub fn version(release: &str) -> Option<Version> {
    let mut numbers = release.split(['.', '-', '+', '_']).map(str::parse);
    let major: u32 = numbers.next()?.ok()?;
    let minor: u32 = numbers.next()?.ok()?;
    if major != 2 {
        return Some((major, minor));
    }
    let patch = numbers.next().and_then(Result::ok).unwrap_or(0).min(99);
    Some((2, minor.checked_mul(100)?.checked_add(patch)?))
}

/// By `ID`, `ID_LIKE` and `VERSION_ID`, for kernels whose release does not say.
fn of_os_release(os_release: &str, release: &str) -> Option<&'static Table> {
    let field = |name: &str| {
        let value = |line: &str| {
            let value = line.strip_prefix(name)?.strip_prefix('=')?;
            Some(value.trim().trim_matches(['"', '\'']).to_ascii_lowercase())
        };
        os_release
            .lines()
            .find_map(|line| value(line.trim()))
            .unwrap_or_default()
    };
    let (id, like, at) = (field("ID"), field("ID_LIKE"), field("VERSION_ID"));
    let is =
        |wanted: &str| id == wanted || like.split_ascii_whitespace().any(|word| word == wanted);
    let kernel = version(release);
    if is("suse")
        || id.starts_with("opensuse")
        || ["sles", "sled", "sle-micro", "sl-micro"].contains(&id.as_str())
    {
        return Table::named(suse_era(kernel?));
    }
    if id == "fedora" {
        return Table::named("fedora");
    }
    if is("rhel") || is("centos") {
        let major = at.split('.').next().unwrap_or_default();
        let of = |(base, vendor, _): &&(Version, &str, &str)| {
            Some(*base) == kernel && vendor.strip_prefix("rhel") == Some(major)
        };
        return RED_HAT
            .iter()
            .find(of)
            .and_then(|(_, vendor, _)| Table::named(vendor));
    }
    if is("ubuntu") {
        return Table::named("ubuntu");
    }
    (id == "debian").then(|| Table::named("debian")).flatten()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;
    use proptest::prelude::*;

    use super::*;
    use crate::taint::tables::TABLES;

    fn of(text: &str) -> &'static str {
        of_release(text).map_or("-", |table| table.vendor)
    }

    #[test]
    fn every_table_has_its_word_and_the_other_way_round() {
        let words: Vec<_> = Vendor::value_variants()
            .iter()
            .filter_map(|vendor| vendor.table())
            .collect();
        assert_eq!(
            words.len(),
            Vendor::value_variants().len() - 1,
            "all but auto"
        );
        assert!(
            TABLES
                .iter()
                .all(|table| words.iter().any(|word| word.vendor == table.vendor))
        );
    }

    #[test]
    fn a_release_shows_whose_kernel_it_is() {
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
            assert_eq!(of(release), expected, "{release}");
        }
    }

    #[test]
    fn os_release_tells_what_the_release_does_not_and_never_against_it() {
        let of = |os: &str, release| of_machine(os, release).map_or("-", |table| table.vendor);
        assert_eq!(of("ID=debian\nVERSION_ID=\"13\"", "6.18.44"), "debian");
        assert_eq!(
            of("ID=debian", "5.14.0-362.el9.x86_64"),
            "rhel9",
            "a container on another kernel"
        );
        assert_eq!(
            of(
                "ID=\"opensuse-tumbleweed\"\nID_LIKE=\"opensuse suse\"",
                "6.17.1-1-vanilla"
            ),
            "suse"
        );
        assert_eq!(of("ID=sles", "5.3.18-1-custom"), "suse-sle15sp2");
        assert_eq!(
            of(
                "ID=rocky\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"",
                "5.14.0-custom"
            ),
            "rhel9"
        );
        assert_eq!(
            of(
                "ID=rocky\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"",
                "6.9.1"
            ),
            "-",
            "not Red Hat's kernel"
        );
        assert_eq!(
            of(
                "ID=amzn\nID_LIKE=\"centos rhel fedora\"\nVERSION_ID=\"2\"",
                "5.10.1"
            ),
            "-"
        );
        assert_eq!(
            of("ID=linuxmint\nID_LIKE=\"ubuntu debian\"", "6.8.0"),
            "ubuntu"
        );
        assert_eq!(of("", ""), "-");
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version("2.6.32-358.el6"), Some((2, 632)));
        assert_eq!(version("2.6.9-5.ELsmp"), Some((2, 609)));
        assert_eq!(version("6.12.0-rc1"), Some((6, 12)));
        assert_eq!(version("v6"), None);
        assert!(version("2.4294967295.4294967295").is_none());
    }

    proptest! {
        #[test]
        fn never_panics(os: String, release: String, digits in "[0-9.-]{0,40}") {
            _ = of_machine(&os, &release);
            _ = of_machine(&os, &digits);
        }
    }
}
