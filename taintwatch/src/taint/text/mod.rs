//! The shapes in which people meet a taint state: a number, letters, and what kernels print.
//!
//! In: any text. Out: the mask that it tells of, and what each bit may mean. Total: no input makes it panic.
//!
//! Kernels print either one place a flag (`print_tainted`, `kernel/panic.c`), where the position
//! decides, or from 6.11 on also `[W]=WARN, [O]=OOT_MODULE` (`print_tainted_verbose`).

mod bare;
mod clean;
mod finding;
mod letters;
mod places;

use super::{
    flags::{self, Version},
    release,
    tables::{Family, TABLES, Table},
};
use crate::event::Mask;
use bare::bare;
pub use finding::{Finding, Reading};

/// Why a text tells of no taint state.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no taint state: {advice}", advice = advice(.0))]
pub struct Unreadable(pub String);

fn advice(text: &str) -> String {
    bare::no_octal(text).map_or_else(
        || "give the number of /proc/sys/kernel/tainted, letters such as \"P O E\", or a line with \"Tainted:\"".to_owned(),
        |digit| format!("a number that begins with 0 is octal, and {digit} is no octal digit"),
    )
}

const MARK: &str = "Tainted: ";
/// A task's name has room for one mark, and the kernel prints one; more are somebody's game.
const MARKS: usize = 4;

/// Decodes a number, letters, or a kernel's line, as it shows itself.
pub fn decode(text: &str) -> Result<Finding, Unreadable> {
    Reader::default().decode(text)
}

/// The taint state that a line of a log tells of.
#[must_use]
pub fn line(line: &str) -> Option<Finding> {
    Reader::default().line(line)
}

/// Whose flags texts are read with, unless a text shows it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reader {
    /// What the user chose; nothing in a text overrides it.
    pub chosen: Option<&'static Table>,
    /// The kernel that wrote this log, as its first lines tell (`banner`).
    pub log: Option<&'static Table>,
    /// This machine's: for numbers and letters, which show nothing.
    pub local: Option<&'static Table>,
}

/// A kernel that may have printed a text, and the mask that the text then tells of.
type Fit = (&'static Table, Mask);

impl Reader {
    /// Decodes a number, letters, or a kernel's line.
    pub fn decode(&self, text: &str) -> Result<Finding, Unreadable> {
        let trimmed = text.trim();
        if let Some(finding) = self.line(text) {
            return Ok(finding);
        }
        let unreadable = || Unreadable(trimmed.to_owned());
        if let Some(table) = self.chosen.or(self.log) {
            return bare(trimmed, Whose::of(table)).ok_or_else(unreadable);
        }
        let anybody = bare(trimmed, Whose::default()).ok_or_else(unreadable)?;
        Ok(self.at_home(trimmed, &anybody).unwrap_or(anybody))
    }

    /// A number or letters as this machine's kernel means them, when it can mean them at all.
    fn at_home(&self, text: &str, anybody: &Finding) -> Option<Finding> {
        let local = self.local?;
        let mut finding = bare(text, Whose::of(local))?;
        let is_known = finding.notes.len() <= anybody.notes.len()
            && finding.flags.iter().all(|flag| flag.name.is_some());
        if is_known && !anybody.readings.is_empty() {
            finding.notes.push(format!(
                "read as this machine's kernel means it ({}); others differ: `--vendor` says whose it is",
                local.vendor
            ));
        }
        is_known.then_some(finding)
    }

    /// The taint state that a line of a log tells of. A task's name may hold the mark too: the last that
    /// can be read is the kernel's own.
    #[must_use]
    pub fn line(&self, line: &str) -> Option<Finding> {
        if !line.contains("ainted") {
            return None;
        }
        let line = &clean::line(line);
        let tainted = line.rmatch_indices(MARK).take(MARKS).find_map(|(at, _)| {
            let (before, rest) = line.split_at_checked(at)?;
            self.state(before, rest.strip_prefix(MARK)?)
        });
        tainted.or_else(|| {
            let (_, behind) = line.rsplit_once("Not tainted")?;
            let whose = self.whose(behind);
            let fits: Vec<_> = whose.tables().map(|table| (table, Mask(0))).collect();
            Some(Finding::of(&fits, "Not tainted", Vec::new()).with_release(behind))
        })
    }

    /// Remembers whose kernel writes this log, from the line that begins it: `Linux version …`.
    pub fn banner(&mut self, line: &str) {
        if let Some((_, release)) = line.split_once("Linux version ") {
            self.log = release::table_of(release);
        }
    }

    /// A line that was cut, with the one that follows it, when both are the halves of one.
    #[must_use]
    pub fn whole(&self, line: &str, next: &str) -> Option<Finding> {
        // A reply marks each line; what is not blanks, letters and a release is another line.
        let next = next.trim_start_matches("> ").trim_start_matches('>');
        let soft = line.strip_suffix('=').map(|line| (line, ""));
        let (line, joint) = soft.unwrap_or((line, " "));
        let finding = self.line(&format!("{line}{joint}{next}"))?;
        (!finding.cut && finding.release.is_some()).then_some(finding)
    }

    fn state(&self, before: &str, rest: &str) -> Option<Finding> {
        let split = places::split(rest);
        let release = Some(split.release).filter(|text| !text.is_empty());
        // Lock debugging prints the release before the state, as in `6.1.0 #1 Tainted: G`.
        let release = release.or_else(|| release_before(before));
        let whose = self.whose(release.unwrap_or_default());
        let by_place = || Some((places::fits(&split, whose)?, split.places, Vec::new()));
        let (fits, text, notes) = letters::verbose(rest, whose)
            .or_else(by_place)
            .or_else(|| letters::collapsed(rest, whose))?;
        let finding = Finding::of(&fits, text.trim_end(), notes);
        let mut finding = finding.with_release(release.unwrap_or_default());
        finding.notes.extend(too_young(&finding, whose.version));
        let is_cut = release.is_none() && places::is_cut(before);
        Some(if is_cut { finding.with_cut() } else { finding })
    }

    fn whose(&self, release: &str) -> Whose {
        let word = release.split_ascii_whitespace().next();
        Whose {
            table: self
                .chosen
                .or_else(|| release::table_of(release))
                .or(self.log),
            version: word.and_then(release::version),
        }
    }
}

/// A flag that upstream's kernel of this version does not have yet. Vendors with kernels of their own make bring
/// flags into older ones.
fn too_young(finding: &Finding, version: Option<Version>) -> Option<String> {
    let (vendor, version) = (finding.vendor.and_then(Table::named), version?);
    let own_make = [Family::Suse, Family::RedHat, Family::Fedora, Family::Oracle];
    if vendor.is_some_and(|table| own_make.contains(&table.family)) {
        return None;
    }
    let young = finding
        .mask
        .bits()
        .filter_map(flags::by_bit)
        .find(|flag| version < flag.since)?;
    let (since, of) = (
        flags::version_text(young.since),
        flags::version_text(version),
    );
    Some(format!(
        "upstream has {} since {since}, this kernel is {of}: its vendor brought it, or the text is damaged",
        young.letter
    ))
}

/// Whose kernel printed a text, as far as it is known.
#[derive(Clone, Copy, Default)]
struct Whose {
    /// Certain.
    table: Option<&'static Table>,
    version: Option<Version>,
}

impl Whose {
    fn of(table: &'static Table) -> Self {
        Self {
            table: Some(table),
            version: None,
        }
    }

    /// The table that is certain, or every one that has kernels of the version.
    fn tables(self) -> impl Iterator<Item = &'static Table> {
        let every = TABLES.iter().filter(move |table| {
            self.table.is_none() && self.version.is_none_or(|version| table.covers(version))
        });
        self.table.into_iter().chain(every)
    }
}

fn release_before(before: &str) -> Option<&str> {
    let (words, _) = before.trim_end().rsplit_once(" #")?;
    let release = words.rsplit(' ').next()?;
    release
        .starts_with(|first: char| first.is_ascii_digit())
        .then_some(release)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::taint::tables::LINUX;

    fn mask(text: &str) -> Option<u64> {
        decode(text).ok().map(|finding| finding.mask.0)
    }

    #[test]
    fn reads_each_shape() {
        for (text, expected) in [
            ("4609", 4609),
            ("0x1201", 4609),
            ("0", 0),
            ("18446744073709551615", u64::MAX),
            ("P O E", 12289),
            ("POE", 12289),
            ("P,O,E", 12289),
            ("(POE)", 12289),
            ("G W OE", 12800),
            ("G", 0),
            (
                "CPU: 1 PID: 7 Comm: insmod Tainted: G        W  OE     6.1.0-50-cloud-amd64 #1",
                12800,
            ),
            (
                "CPU: 1 PID: 7 Comm: x Tainted: P           OE      6.1.0 #1",
                12289,
            ),
            ("Tainted: G W OE 6.1.0-50-amd64", 12800),
            ("Tainted: [W]=WARN, [O]=OOT_MODULE", 4608),
            ("CPU: 0 PID: 1 Comm: swapper/0 Not tainted 6.12.1 #1", 0),
            ("Comm: Tainted: Z Tainted: G        W          6.1.0", 512),
            (
                "Tainted: G           O     -------------------------------u 5.14.0",
                4096,
            ),
        ] {
            assert_eq!(mask(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn shows_what_it_does_not_know_and_refuses_what_is_nothing() {
        let finding = decode("2147483649").unwrap();
        assert_eq!(
            finding.flags[1],
            Reading {
                bit: 31,
                letter: None,
                name: None,
                vendor: "unknown",
                happened: None
            }
        );
        assert!(finding.notes[0].contains("bit 31") && finding.notes[0].ends_with("use it"));
        let two = decode("0xc0000000000").unwrap();
        assert!(two.notes[0].ends_with("use them"), "{:?}", two.notes);
        assert!(decode("P Z").unwrap().notes[0].contains('Z'));
        for text in ["", "hello!", "-1", "18446744073709551616", "0x", "Z"] {
            assert!(decode(text).is_err(), "{text}");
        }
    }

    fn readings(finding: &Finding) -> Vec<(u32, &'static str)> {
        let short = |reading: &Reading| (reading.bit, reading.vendor);
        finding.readings.iter().map(short).collect()
    }

    #[test]
    fn where_kernels_differ_every_reading_is_shown_and_none_is_guessed() {
        assert_eq!(
            readings(&decode("N").unwrap()),
            [
                (18, "linux"),
                (30, "suse-sle12"),
                (30, "suse-sle11"),
                (31, "suse-sle15sp2")
            ]
        );
        assert_eq!(
            readings(&decode("T").unwrap()),
            [(17, "linux"), (29, "rhel7"), (29, "rhel6")]
        );
        assert_eq!(readings(&decode("4609").unwrap()), []);
        // By its place it is one bit, and by its version not of every kernel.
        let place = line("Tainted: G               X    6.1.0 #1").unwrap();
        assert_eq!(
            readings(&place),
            [(16, "linux"), (16, "suse-sle15sp2"), (16, "debian")]
        );
        let release = line("Tainted: G               X    6.1.0-50-amd64 #1").unwrap();
        assert_eq!(
            (readings(&release), release.vendor),
            (vec![], Some("debian"))
        );
    }

    #[test]
    fn a_number_is_this_machines_only_where_its_kernel_can_mean_it() {
        let at = |vendor, text: &str| {
            let local = Table::named(vendor);
            let reader = Reader {
                local,
                ..Reader::default()
            };
            let finding = reader.decode(text).unwrap();
            (finding.vendor, finding.notes.len())
        };
        assert_eq!(at("debian", "4609"), (Some("debian"), 0));
        assert_eq!(at("debian", "65536"), (Some("debian"), 1), "others differ");
        assert_eq!(at("debian", "2147483648"), (None, 1));
        assert_eq!(at("suse", "2147483648"), (Some("suse"), 1));
        assert_eq!(at("debian", "H"), (None, 0));
        // What a line shows is not overridden by where it is read.
        assert_eq!(
            at("suse", "Tainted: G               X    6.1.0 #1"),
            (None, 0)
        );
        let chosen = Reader {
            chosen: Table::named("rhel7"),
            ..Reader::default()
        };
        assert_eq!(chosen.decode("T").unwrap().mask, Mask(1 << 29));
    }

    #[test]
    fn a_flag_that_is_younger_than_its_kernel_is_told() {
        let notes = |text: &str| line(text).unwrap().notes;
        let young = notes("Tainted: G        W        N 5.4.0 #1");
        assert!(young[0].contains("N since 6.0"), "{young:?}");
        assert!(notes("Tainted: G        W        N 6.1.0 #1").is_empty());
        // Red Hat brought it into 5.14.
        assert!(
            notes("Tainted: G                 N-------  ---  5.14.0-570.el9.x86_64 #1").is_empty()
        );
    }

    #[test]
    fn numbers_are_read_as_the_kernel_reads_them() {
        for (text, expected) in [
            ("0o17", Some(15)),
            ("017", Some(15)),
            ("00", Some(0)),
            ("0X1F", Some(31)),
        ] {
            assert_eq!(mask(text), expected, "{text}");
        }
        for (text, digit) in [("00012801", '8'), ("kernel.tainted = 09", '9')] {
            let told = decode(text).unwrap_err().to_string();
            assert!(
                told.ends_with(&format!("{digit} is no octal digit")),
                "{told}"
            );
        }
        for text in ["09", "0x-1", "-0x1", "+5", "0o", "1e3", "12 13"] {
            assert_eq!(mask(text), None, "{text}");
        }
    }

    /// As `print_tainted` prints it with so many flags.
    fn printed(mask: u32, width: u32) -> String {
        (0..width)
            .map(|bit| match (mask >> bit & 1, bit) {
                (1, _) => flags::by_bit(bit).unwrap().letter,
                (_, 0) => 'G',
                _ => ' ',
            })
            .collect()
    }

    proptest! {
        #[test]
        fn every_mask_survives_every_shape(mask in 1_u32..1 << 20) {
            let decimal = mask.to_string();
            let hex = format!("{mask:#x}");
            let letters = LINUX.letters(Mask(mask.into()));
            let bits = flags::UPSTREAM.iter().filter(|flag| mask >> flag.bit & 1 == 1);
            let items: Vec<_> = bits.map(|flag| format!("[{}]={}", flag.letter, flag.name)).collect();
            let verbose = format!("Tainted: {}", items.join(", "));
            for text in [decimal, hex, letters, verbose] {
                prop_assert_eq!(self::mask(&text), Some(u64::from(mask)), "{}", text);
            }
            for width in 18..=20 {
                let mask = mask & ((1 << width) - 1);
                let line = format!("CPU: 0 PID: 1 Comm: a b Tainted: {} 6.1.0 #1", printed(mask, width));
                prop_assert_eq!(self::mask(&line), Some(u64::from(mask)), "{}", line);
            }
        }

        #[test]
        fn never_panics(text: String, tail: String) {
            _ = decode(&text);
            _ = line(&format!("Tainted: {tail}"));
        }
    }
}
