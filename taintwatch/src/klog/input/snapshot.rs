//! The state of a machine as the files of an archive show it.
//!
//! In: their texts. Out: the mask, the modules that carry flags, the release; as a finding of a state, so that what no
//! log explains comes out like that of a report.

use super::{
    super::{Facts, Finding, Listed, LoggedBoot, Moment, What, modules},
    Fact,
};
use crate::{event::Mask, taint::release::Release};

const MOST_MODULES: usize = 1024;

/// What the files say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub mask: Option<Mask>,
    pub modules: Vec<Listed>,
    pub release: Option<String>,
    /// The name of the distribution.
    pub os: Option<String>,
}

impl Snapshot {
    /// Takes what a file says; the first that says something counts.
    pub fn take(&mut self, fact: Fact, name: &str, text: &str) {
        match fact {
            Fact::Tainted => self.mask(text),
            Fact::Modules => text.lines().for_each(|line| self.module_line(line)),
            Fact::ModuleTaint => {
                let module = name.rsplit('/').nth(1).unwrap_or_default();
                self.module(module, text.trim());
            }
            Fact::OsRelease => {
                let pretty = text
                    .lines()
                    .find_map(|line| line.strip_prefix("PRETTY_NAME="));
                self.os = self
                    .os
                    .take()
                    .or(pretty.map(|name| name.trim_matches('"').to_owned()));
            }
            Fact::Version => self.version(text),
            Fact::Sections => self.sections(text),
        }
    }

    fn mask(&mut self, text: &str) {
        if self.mask.is_none() {
            self.mask = text
                .split_ascii_whitespace()
                .next()
                .and_then(|word| word.parse().ok())
                .map(Mask);
        }
    }

    /// `nvidia 1 2 - Live 0x0000000000000000 (POE)`.
    fn module_line(&mut self, line: &str) {
        if let Some((name, _)) = line.split_once(' ')
            && let Some((_, flags)) = line.rsplit_once('(')
        {
            self.module(name, flags.trim_end().trim_end_matches(')'));
        }
    }

    fn module(&mut self, name: &str, letters: &str) {
        let letters: String = letters
            .chars()
            .filter(char::is_ascii_alphabetic)
            .take(32)
            .collect();
        let is_known = self.modules.iter().any(|module| module.name == name);
        if !letters.is_empty() && !is_known && self.modules.len() < MOST_MODULES {
            self.modules.push(Listed {
                name: name.to_owned(),
                letters,
                flags: Mask(0),
                loaded: true,
            });
        }
    }

    /// `Linux version 6.1.0 (…)`, `Linux HOST 6.1.0 #1 …`.
    fn version(&mut self, text: &str) {
        let mut words = text.split_ascii_whitespace();
        if self.release.is_none() && words.next() == Some("Linux") {
            let release = words
                .nth(1)
                .filter(|word| word.starts_with(|c: char| c.is_ascii_digit()));
            self.release = release.map(str::to_owned);
        }
    }

    /// `# /bin/cat /proc/sys/kernel/tainted`, and below what it printed (supportconfig).
    fn sections(&mut self, text: &str) {
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let Some(command) = line.strip_prefix("# ") else {
                continue;
            };
            if command.ends_with("/proc/sys/kernel/tainted") {
                self.mask(lines.next().unwrap_or_default());
            } else if command.ends_with("uname -a") {
                self.version(lines.next().unwrap_or_default());
            }
        }
    }

    /// The state as a finding, when there is one.
    #[must_use]
    pub fn finding(&self) -> Option<Finding> {
        if self.mask.is_none() && self.modules.is_empty() {
            return None;
        }
        let release = self.release.as_deref().and_then(Release::parse);
        let mut modules = self.modules.clone();
        for module in &mut modules {
            module.flags = modules::bits(&module.letters, self.mask, release);
        }
        let line = self
            .mask
            .map(|mask| format!("/proc/sys/kernel/tainted was {}", mask.0));
        Some(Finding {
            what: What::State,
            host: None,
            boot: LoggedBoot {
                release: self.release.clone(),
                ..LoggedBoot::default()
            },
            at: Moment::default(),
            last_place: 0,
            lines: line.into_iter().collect(),
            facts: Facts {
                mask: self.mask,
                release: self.release.clone(),
                modules,
                ..Facts::default()
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_tell_the_state() {
        let mut snapshot = Snapshot::default();
        snapshot.take(
            Fact::Sections,
            "",
            "#==[ Command ]==#\n# /bin/cat /proc/sys/kernel/tainted\n12289\n",
        );
        snapshot.take(
            Fact::Modules,
            "",
            "a 1 0 - Live 0x0 (POE)\nb 1 0 - Live 0x0\n",
        );
        snapshot.take(Fact::ModuleTaint, "x/sys/module/c/taint", "E\n");
        snapshot.take(Fact::Version, "", "Linux version 6.1.0-50-amd64 (x)\n");
        assert_eq!(snapshot.release.as_deref(), Some("6.1.0-50-amd64"));
        let facts = snapshot.finding().unwrap().facts;
        assert_eq!(facts.mask, Some(Mask(12289)));
        let flags: Vec<_> = facts
            .modules
            .iter()
            .map(|module| (module.name.as_str(), module.flags.0))
            .collect();
        assert_eq!(flags, [("a", 12289), ("c", 8192)]);
        assert!(Snapshot::default().finding().is_none());
    }

    #[test]
    fn a_module_with_letters_is_one_however_many_files_name_it() {
        let mut snapshot = Snapshot::default();
        assert_eq!(snapshot.finding(), None);
        snapshot.take(
            Fact::Modules,
            "",
            "a 1 0 - Live 0x0 (POE)\nb 1 0 - Live 0x0\n",
        );
        snapshot.take(Fact::ModuleTaint, "sys/module/a/taint", "POE\n");
        snapshot.take(Fact::ModuleTaint, "sys/module/b/taint", "\n");
        snapshot.take(Fact::Version, "", "Linux version 6.1.0 (x)");
        let finding = snapshot.finding().unwrap();
        let names: Vec<_> = finding
            .facts
            .modules
            .iter()
            .map(|module| module.name.as_str())
            .collect();
        assert_eq!(names, ["a"]);
        assert_eq!(finding.facts.release.as_deref(), Some("6.1.0"));
        for number in 0..=MOST_MODULES {
            snapshot.module(&format!("m{number}"), "O");
        }
        assert_eq!(snapshot.modules.len(), MOST_MODULES);
    }

    #[test]
    fn a_mask_alone_is_a_state() {
        let mut snapshot = Snapshot::default();
        snapshot.take(Fact::Tainted, "", "512\n");
        assert_eq!(snapshot.finding().unwrap().facts.mask, Some(Mask(512)));
    }
}
