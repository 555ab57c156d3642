//! The shapes in which a taint state is written: a number, letters, and what kernels print.
//!
//! In: any text. Out: the mask that it shows, and what each bit may mean. Total: no input makes it panic.
//!
//! Kernels print either one place a flag (`print_tainted`, `kernel/panic.c`), where the position
//! decides, or from 6.11 on also `[W]=WARN, [O]=OOT_MODULE` (`print_tainted_verbose`).

mod bare;
mod clean;
mod decoded;
mod letters;
mod places;
mod quoted;

use super::{
    flags::{self, bit},
    release::{self, Release},
    tables::{Family, TABLES, Table},
    version::Version,
};
use crate::event::Mask;
use bare::bare;
pub use decoded::{Decoded, Reading};

/// A text that shows no taint state.
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
/// A task's name has room for one mark, and the kernel prints one; lines with more are forged.
const MARKS: usize = 4;

/// Decodes a number, letters, or a kernel's line, as it shows itself.
pub fn decode(text: &str) -> Result<Decoded, Unreadable> {
    Reader::default().decode(text)
}

/// The taint state that a line of a log shows.
#[must_use]
pub fn line(line: &str) -> Option<Decoded> {
    Reader::default().line(line)
}

/// The vendors that texts are read for, unless a text shows its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reader {
    /// What the user chose; nothing in a text overrides it.
    pub chosen: Option<&'static Table>,
    /// The kernel that wrote this log, as its first lines show (`banner`).
    pub log: Option<&'static Table>,
    /// This machine's: for numbers and letters, which show nothing.
    pub local: Option<&'static Table>,
}

/// A kernel that may have printed a text, and the mask that the text then shows.
type Fit = (&'static Table, Mask);

impl Reader {
    /// Decodes a number, letters, or a kernel's line.
    pub fn decode(&self, text: &str) -> Result<Decoded, Unreadable> {
        let trimmed = text.trim();
        if let Some(finding) = self.line(text) {
            return Ok(finding);
        }
        if let Some(quoted) = quoted::value(trimmed) {
            return self.decode(quoted);
        }
        let unreadable = || Unreadable(trimmed.to_owned());
        if let Some(table) = self.chosen.or(self.log) {
            return bare(trimmed, KernelHint::of(table)).ok_or_else(unreadable);
        }
        let undecided = bare(trimmed, KernelHint::default()).ok_or_else(unreadable)?;
        Ok(self
            .as_local_kernel(trimmed, &undecided)
            .unwrap_or(undecided))
    }

    /// A number or letters as this machine's kernel means them, when it can mean them at all.
    fn as_local_kernel(&self, text: &str, undecided: &Decoded) -> Option<Decoded> {
        let local = self.local?;
        let mut finding = bare(text, KernelHint::of(local))?;
        let is_known = finding.notes.len() <= undecided.notes.len()
            && finding.flags.iter().all(|flag| flag.name.is_some());
        if is_known && !undecided.readings.is_empty() {
            finding.notes.push(format!(
                "read as this machine's kernel means it ({}); others differ: `--vendor` selects another",
                local.vendor
            ));
        }
        is_known.then_some(finding)
    }

    /// The taint state that a line of a log shows. A task's name may hold the mark too: the last that
    /// can be read is the kernel's own.
    #[must_use]
    pub fn line(&self, line: &str) -> Option<Decoded> {
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
            let hint = self.hint(behind);
            let fits: Vec<_> = hint.tables().map(|table| (table, Mask(0))).collect();
            Some(Decoded::of(&fits, "Not tainted", Vec::new()).with_release(behind))
        })
    }

    /// The taint state that a line of another program's report shows: abrt's, sysctl's, checklists of support.
    #[must_use]
    pub fn reported(&self, line: &str) -> Option<Decoded> {
        let is_of_taint = line.to_ascii_lowercase().contains("taint");
        let quoted = || self.decode(quoted::value(line)?).ok();
        let named = || self.decode(line).ok();
        is_of_taint.then(|| quoted().or_else(named)).flatten()
    }

    /// Remembers the vendor of the kernel that writes this log, from its first line: `Linux version …`.
    pub fn banner(&mut self, line: &str) {
        if let Some((_, release)) = line.split_once("Linux version ") {
            self.log = release::table_of(release);
        }
    }

    /// A line that was cut, with the one that follows it, when both are the halves of one.
    #[must_use]
    pub fn whole(&self, line: &str, next: &str) -> Option<Decoded> {
        // A reply marks each line; what is not blanks, letters and a release is another line.
        let next = next.trim_start_matches("> ").trim_start_matches('>');
        let soft = line.strip_suffix('=').map(|line| (line, ""));
        let (line, joint) = soft.unwrap_or((line, " "));
        let finding = self.line(&format!("{line}{joint}{next}"))?;
        (!finding.cut && finding.release.is_some()).then_some(finding)
    }

    fn state(&self, before: &str, rest: &str) -> Option<Decoded> {
        let split = places::split(rest);
        let release = Some(split.release).filter(|text| !text.is_empty());
        // Lock debugging prints the release before the state, as in `6.1.0 #1 Tainted: G`.
        let release = release.or_else(|| release_before(before));
        let hint = self.hint(release.unwrap_or_default());
        let by_place = || Some((places::fits(&split, hint)?, split.places, Vec::new()));
        let (fits, text, notes) = letters::verbose(rest, hint)
            .or_else(by_place)
            .or_else(|| letters::collapsed(rest, hint))?;
        let finding = Decoded::of(&fits, text.trim_end(), notes);
        let mut finding = finding.with_release(release.unwrap_or_default());
        finding.notes.extend(too_young(&finding, hint.version));
        finding.notes.extend(unsigned(&finding, release));
        let is_cut = release.is_none() && places::is_cut(before);
        Some(if is_cut { finding.with_cut() } else { finding })
    }

    fn hint(&self, release: &str) -> KernelHint {
        let word = release.split_ascii_whitespace().next();
        KernelHint {
            table: self
                .chosen
                .or_else(|| release::table_of(release))
                .or(self.log),
            version: word.and_then(Version::parse),
        }
    }
}

/// In these kernels F has a second meaning, which is E since.
fn unsigned(finding: &Decoded, release: Option<&str>) -> Option<String> {
    let release = Release::parse(release?.split_ascii_whitespace().next()?)?;
    let is_set = finding.mask.has(bit::FORCED_MODULE) && release.marks_unsigned_with_f();
    is_set.then(|| {
        "kernels 3.7 to 3.14 set F also for a module whose signature is missing or was not verified"
            .to_owned()
    })
}

/// A flag that upstream's kernel of this version does not have yet. Vendors with kernels of their own make bring
/// flags into older ones.
fn too_young(finding: &Decoded, version: Option<Version>) -> Option<String> {
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
    Some(format!(
        "upstream has {} since {}, this kernel is {version}: its vendor backported it, or the text is damaged",
        young.letter, young.since
    ))
}

/// What is known of the kernel that printed a text.
#[derive(Clone, Copy, Default)]
struct KernelHint {
    /// Certain.
    table: Option<&'static Table>,
    version: Option<Version>,
}

impl KernelHint {
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
mod tests;
