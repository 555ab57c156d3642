//! `--changed`: what changed files can break.
//!
//! In: paths that git names. Out: the checks and guests to run. A file that no rule knows asks for more, never for
//! less; the whole run stays the judge.

use std::{collections::BTreeSet, process::Command};

use anyhow::{Context as _, Result};

use super::host::Host;
use crate::{cache, run};

/// The oldest and the newest kernel, between which the differences are.
const ENDS: [&str; 2] = ["5.10", "7.3"];
/// The kernel of a guest that needs only one.
const ONE: [&str; 1] = ["6.1"];

/// What is to be run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) host: Option<Host>,
    guests: BTreeSet<(&'static str, &'static str)>,
}

impl Needs {
    pub(super) fn guest(&self, name: &str, series: &str) -> bool {
        self.guests
            .iter()
            .any(|(kind, kernel)| *kind == name && *kernel == series)
    }

    fn add(&mut self, host: Host, kinds: &[&'static str], kernels: &[&'static str]) {
        self.host = self.host.max(Some(host));
        for kind in kinds {
            self.guests
                .extend(kernels.iter().map(|kernel| (*kind, *kernel)));
        }
    }
}

/// Paths that differ from where this branch left `base`, and new ones.
pub(super) fn files(base: &str) -> Result<Vec<String>> {
    let git = |arguments: &[&str]| -> Result<Vec<String>> {
        let mut git = Command::new("git");
        let lines = run::quiet(git.args(arguments).current_dir(cache::checkout()?))?;
        Ok(lines.lines().map(str::to_owned).collect())
    };
    let left = git(&["merge-base", base, "HEAD"]).with_context(|| {
        format!("find where this branch left {base}; name another with --changed=BASE")
    })?;
    let left = left.first().context("git names no commit")?;
    let mut files = git(&["diff", "--name-only", left])?;
    files.extend(git(&["ls-files", "--others", "--exclude-standard"])?);
    Ok(files)
}

/// What files can break.
pub(super) fn needs<'a>(files: impl Iterator<Item = &'a str>) -> Needs {
    let mut needs = Needs::default();
    for file in files {
        need(file, &mut needs);
    }
    needs
}

fn need(file: &str, needs: &mut Needs) {
    let (folder, rest) = file.split_once('/').unwrap_or(("", file));
    let is_text = [".md", ".snap", ".log", ".txt", ".jsonl"]
        .iter()
        .any(|end| file.ends_with(end));
    match folder {
        _ if is_text || file.starts_with("LICENSE") => needs.add(Host::Tests, &[], &[]),
        "docs" => needs.add(Host::Fleet, &[], &[]),
        "packaging" => needs.add(Host::Lints, &["systemd"], &ONE),
        "xtask" if rest == "src/demo.rs" => needs.add(Host::Lints, &["demo"], &ONE),
        "xtask" => needs.add(Host::Lints, &["unprivileged"], &ONE),
        "tests" => of_tests(rest, needs),
        "taintwatch" => of_taintwatch(rest, needs),
        "taintwatch-ebpf" | "taintwatch-common" => {
            needs.add(Host::Lints, &["all", "causes", "fallbacks"], &ENDS);
            needs.add(Host::Lints, &["bench"], &ONE);
        }
        // Versions and settings of the build.
        _ => needs.add(Host::Browser, &["all", "late"], &ONE),
    }
}

fn of_tests(rest: &str, needs: &mut Needs) {
    let scenario = rest.strip_prefix("src/bin/scenarios/").unwrap_or_default();
    let (kinds, kernels): (&[_], &[_]) = match scenario {
        "fallbacks.rs" | "fallbacks/table.rs" => (&["fallbacks"], &ENDS),
        "late.rs" => (&["late", "systemd"], &ENDS),
        "crashed.rs" => (&["crash"], &ONE),
        "file_systems.rs" => (&["file-systems"], &ENDS),
        "journal.rs" | "system.rs" | "package.rs" => (&["systemd"], &ONE),
        _ if scenario.starts_with("causes/") => (&["causes"], &ENDS),
        "cpus.rs" | "overflow.rs" | "follow.rs" => (&["all"], &ENDS),
        "takeover.rs" => (&["takeover"], &ENDS),
        "codes.rs" => (&["fallbacks"], &ENDS),
        _ if rest.starts_with("fuzz/") || rest.starts_with("fixtures/") => (&[], &[]),
        _ => (
            &["all", "causes", "fallbacks", "late", "unprivileged"],
            &ONE,
        ),
    };
    needs.add(Host::Lints, kinds, kernels);
    if kinds.contains(&"systemd") {
        needs.add(Host::Lints, &["systemd"], &ONE);
    }
}

/// Parts that no guest shows better than the tests beside them; every other part is run in guests.
fn of_taintwatch(rest: &str, needs: &mut Needs) {
    let part = rest.strip_prefix("src/").unwrap_or(rest);
    let part = part.split(['/', '.']).next().unwrap_or_default();
    match part {
        "output" => needs.add(Host::Browser, &[], &[]),
        "fleet" | "intake" => needs.add(Host::Fleet, &[], &[]),
        "tests" | "examples" | "glob" | "taint" | "klog" | "cli" => {
            needs.add(Host::Lints, &[], &[]);
        }
        "enrich" => needs.add(Host::Lints, &["all", "causes", "file-systems"], &ENDS),
        "store" => needs.add(Host::Lints, &["power-cut", "crash"], &ONE),
        "crash" => needs.add(Host::Lints, &["crash"], &ONE),
        "baseline" => needs.add(Host::Lints, &["late"], &ENDS),
        "probe" => needs.add(
            Host::Lints,
            &["all", "causes", "fallbacks", "takeover"],
            &ENDS,
        ),
        _ => needs.add(Host::Lints, &["all", "causes"], &ENDS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[&str]) -> Needs {
        needs(files.iter().copied())
    }

    #[test]
    fn texts_need_no_guest() {
        let needs = of(&["README.md", "taintwatch/tests/snapshots/a.snap"]);
        assert_eq!(needs.host, Some(Host::Tests));
        assert!(needs.guests.is_empty());
        assert_eq!(of(&[]), Needs::default());
    }

    #[test]
    fn the_programs_are_run_on_the_oldest_and_the_newest_kernel() {
        let needs = of(&["README.md", "taintwatch-ebpf/src/main.rs"]);
        assert_eq!(needs.host, Some(Host::Lints));
        assert!(needs.guest("all", "5.10") && needs.guest("causes", "7.3"));
        assert!(!needs.guest("all", "6.12") && !needs.guest("crash", "5.10"));
    }

    #[test]
    fn a_file_that_no_rule_knows_asks_for_guests() {
        assert!(of(&["taintwatch/src/brand/new.rs"]).guest("causes", "7.3"));
        assert!(of(&["tests/src/bin/scenarios/brand_new.rs"]).guest("all", "6.1"));
        assert!(of(&["Cargo.lock"]).guest("all", "6.1"));
    }

    #[test]
    fn a_scenario_is_run_where_it_is() {
        let needs = of(&["tests/src/bin/scenarios/fallbacks.rs"]);
        assert!(needs.guest("fallbacks", "5.10") && !needs.guest("all", "6.1"));
        assert!(of(&["tests/src/bin/scenarios/system.rs"]).guest("systemd", "6.1"));
        assert_eq!(
            of(&["taintwatch/src/output/html.rs"]).host,
            Some(Host::Browser)
        );
    }
}
