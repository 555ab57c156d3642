//! The support status that a SUSE kernel itself reports.
//!
//! In: `/sys/kernel/supported`, `/sys/module/*/supported`, `/proc/sys/kernel/unsupported` (patches.suse/
//! supported-flag and add-suse-supported-flag.patch: `supported_printable` in kernel/ksysfs.c), and the line
//! `Supported: …` of its reports. Out: plain values; nothing on other kernels.

use std::{fmt, fs, path::Path};

use serde::Serialize;

/// The kernel's answer for itself or for a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Supported {
    Yes,
    /// By a third party, together with SUSE.
    External,
    /// With the kernel's reason.
    No(String),
    /// Another text.
    Other(String),
}

impl Supported {
    /// `Yes`, `Yes, External`, `No, Unsupported modules are loaded` and the like.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        match (text, text.strip_prefix("No, ")) {
            ("Yes", _) => Self::Yes,
            ("Yes, External", _) => Self::External,
            ("No", _) => Self::No(String::new()),
            (_, Some(reason)) => Self::No(reason.to_owned()),
            _ => Self::Other(text.to_owned()),
        }
    }
}

impl fmt::Display for Supported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes => f.write_str("yes"),
            Self::External => f.write_str("yes, with an external module"),
            Self::No(reason) if reason.is_empty() => f.write_str("no"),
            Self::No(reason) => write!(f, "no: {}", reason.to_lowercase()),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// What happens to a module without support (boot parameter `unsupported=`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsupported {
    Refused,
    Warned,
    Silent,
}

impl Unsupported {
    /// The number of `/proc/sys/kernel/unsupported`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "0" => Some(Self::Refused),
            "1" => Some(Self::Warned),
            "2" => Some(Self::Silent),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Warned => "loaded with a warning",
            Self::Silent => "loaded without a warning",
        }
    }
}

/// What the kernel reports about its support.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Support {
    pub kernel: Option<Supported>,
    pub unsupported: Option<Unsupported>,
    /// Loaded modules that SUSE does not support itself.
    pub modules: Vec<(String, Supported)>,
}

impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("supported by SUSE: ")?;
        match &self.kernel {
            Some(supported) => write!(f, "{supported}")?,
            None => f.write_str("the kernel does not say")?,
        }
        let module = |(name, supported): &(String, Supported)| match supported {
            Supported::External => format!("{name} (external)"),
            _ => name.clone(),
        };
        if !self.modules.is_empty() {
            let names: Vec<_> = self.modules.iter().take(MOST_NAMES).map(module).collect();
            write!(f, " ({}", names.join(", "))?;
            match self.modules.len().saturating_sub(MOST_NAMES) {
                0 => f.write_str(")")?,
                more => write!(f, " and {more} more)")?,
            }
        }
        self.unsupported.map_or(Ok(()), |unsupported| {
            write!(f, "; modules without support are {}", unsupported.as_str())
        })
    }
}

/// More would hide the rest.
const MOST_NAMES: usize = 5;

/// The line of a report: `Supported: No, Unsupported modules are loaded`.
#[must_use]
pub fn supported_line(line: &str) -> Option<Supported> {
    let (before, text) = line.split_once("Supported: ")?;
    let is_prefix = before.trim_end().is_empty() || before.trim_end().ends_with([']', ':']);
    let is_answer = text.starts_with("Yes") || text.starts_with("No");
    (is_prefix && is_answer).then(|| Supported::parse(text))
}

/// What this kernel reports; none where it is not one of SUSE's kernels that report it.
#[must_use]
pub fn read() -> Option<Support> {
    read_below(Path::new("/"))
}

fn read_below(root: &Path) -> Option<Support> {
    let text = |path: &str| fs::read_to_string(root.join(path)).ok();
    let kernel = text("sys/kernel/supported").map(|text| Supported::parse(&text));
    let unsupported =
        text("proc/sys/kernel/unsupported").and_then(|text| Unsupported::parse(&text));
    if kernel.is_none() && unsupported.is_none() {
        return None;
    }
    let entries = fs::read_dir(root.join("sys/module")).into_iter().flatten();
    let module = |entry: fs::DirEntry| {
        let supported = fs::read_to_string(entry.path().join("supported")).ok()?;
        let name = entry.file_name().to_string_lossy().into_owned();
        Some((name, Supported::parse(&supported)))
    };
    let all = entries.flatten().filter_map(module);
    let mut modules: Vec<_> = all
        .filter(|(_, supported)| *supported != Supported::Yes)
        .collect();
    modules.sort_by(|(one, _), (other, _)| one.cmp(other));
    Some(Support {
        kernel,
        unsupported,
        modules,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_reports_line_is_known_by_its_place_and_words() {
        let no = |reason: &str| Some(Supported::No(reason.to_owned()));
        for (line, expected) in [
            (
                "[ 1678.755689] Supported: No, Proprietary and Unsupported modules are loaded",
                no("Proprietary and Unsupported modules are loaded"),
            ),
            (
                "[   87.550754][  T320] Supported: Yes",
                Some(Supported::Yes),
            ),
            ("Supported: Yes, External", Some(Supported::External)),
            (
                "SERVER kernel: Supported: No, Unreleased kernel",
                no("Unreleased kernel"),
            ),
            ("drm: Modes Supported: 3", None),
            ("scsi Supported: Yes", None),
            ("nothing", None),
        ] {
            assert_eq!(supported_line(line), expected, "{line}");
        }
    }

    #[test]
    fn prints_the_kernels_answer_on_one_line() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(read_below(root.path()), None, "not SUSE's");
        for (path, text) in [
            (
                "sys/kernel/supported",
                "No, Unsupported modules are loaded\n",
            ),
            ("proc/sys/kernel/unsupported", "1\n"),
            ("sys/module/ext4/supported", "Yes\n"),
            ("sys/module/knem/supported", "Yes, External\n"),
            (
                "sys/module/ast/supported",
                "No, Unsupported modules are loaded\n",
            ),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        insta::assert_snapshot!(
            read_below(root.path()).unwrap(),
            @"supported by SUSE: no: unsupported modules are loaded (ast, knem (external)); modules without support are loaded with a warning"
        );
    }

    proptest! {
        #[test]
        fn never_panics(text: String) {
            _ = supported_line(&text);
            _ = Supported::parse(&text).to_string();
            _ = Unsupported::parse(&text);
        }
    }
}
