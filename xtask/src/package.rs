//! `cargo xtask package`: a .deb, an .rpm and a tarball in `target/dist`.
//!
//! In: the static release binary, the time of the last commit. Out: the paths of the packages. `packaging` makes them,
//! which has the manual pages and the rest from the program's own types.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{build, cache, progress::step, run};

/// Makes the packages, and prints where they are.
pub(crate) fn run() -> Result<()> {
    for package in make()? {
        println!("{}", package.display());
    }
    Ok(())
}

/// The package of this kind, for a guest: `deb` or `rpm`.
pub(crate) fn of(kind: &str) -> Result<PathBuf> {
    let is_it = |path: &PathBuf| path.extension().is_some_and(|found| found == kind);
    let found = make()?.into_iter().find(is_it);
    found.with_context(|| format!("no .{kind} was made"))
}

fn make() -> Result<Vec<PathBuf>> {
    let dist = build::dist()?;
    step("make the packages", || {
        let packager = build::binaries(&["taintwatch-packaging"])?.join("taintwatch-package");
        let mut command = Command::new(packager);
        command.arg(dist.join("taintwatch")).arg(&dist);
        command.env("SOURCE_DATE_EPOCH", date(&cache::checkout()?)?);
        Ok(run::quiet(&mut command)?
            .lines()
            .map(PathBuf::from)
            .collect())
    })
}

/// The time of every file in the packages: that of the last commit, so that a commit has one package.
fn date(checkout: &Path) -> Result<String> {
    if let Ok(date) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(date);
    }
    let mut git = Command::new("git");
    git.args(["log", "-1", "--format=%ct"])
        .current_dir(checkout);
    let date = run::quiet(&mut git).context(
        "ask git for the time of the last commit; outside a repository, set SOURCE_DATE_EPOCH",
    )?;
    Ok(date.trim().to_owned())
}
