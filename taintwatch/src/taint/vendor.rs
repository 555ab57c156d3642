//! The vendor of a kernel: chosen with `--vendor`, or found by os-release and the release.
//!
//! In: the word after `--vendor`, os-release. Out: the table that reads its flags, or none where that is not certain.
//! The release has precedence: a container's os-release does not describe its kernel.

use super::{
    release::{RED_HAT, suse_era, table_of},
    tables::Table,
    version::Version,
};

/// A vendor whose flags are used; the newest era of a vendor has no suffix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Vendor {
    /// The vendor that a text or a log shows; else, for `decode` and `explain`, this machine's
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

/// The table of a machine, by its os-release and `uname -r`.
#[must_use]
pub fn of_machine(os_release: &str, release: &str) -> Option<&'static Table> {
    table_of(release).or_else(|| of_os_release(os_release, release))
}

/// By `ID`, `ID_LIKE` and `VERSION_ID`, for kernels whose release does not show the vendor.
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
    let kernel = Version::parse(release);
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
    fn os_release_counts_where_the_release_shows_no_vendor() {
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

    proptest! {
        #[test]
        fn never_panics(os: String, release: String, digits in "[0-9.-]{0,40}") {
            _ = of_machine(&os, &release);
            _ = of_machine(&os, &digits);
        }
    }
}
