//! Builds what runs in guests and on other machines: static executables in `target/dist`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context as _, Result, anyhow};

use crate::{cache, progress::step, run};

/// The release binary, and the guests' own programs.
const PROGRAMS: [(&str, &str); 5] = [
    ("taintwatch", "taintwatch"),
    ("init", "guest/init"),
    ("scenarios", "guest/scenarios"),
    ("constrain", "guest/constrain"),
    ("bench", "guest/bench"),
];

/// Builds, and prints where the release binary is.
pub(crate) fn run() -> Result<()> {
    println!("{}", dist()?.join("taintwatch").display());
    Ok(())
}

/// The folder of everything built, which the first who asks in this run builds.
pub(crate) fn dist() -> Result<PathBuf> {
    static DIST: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = DIST.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    built.clone().map_err(|why| anyhow!(why))
}

fn build() -> Result<PathBuf> {
    let built = step("build taintwatch, static", || {
        binaries(&["taintwatch", "taintwatch-tests"])
    })?;
    let dist = cache::checkout()?.join("target/dist");
    for (program, name) in PROGRAMS {
        put(&built.join(program), &dist.join(name))?;
    }
    Ok(dist)
}

/// Builds the static executables of packages, and gives the folder that they are in.
pub(crate) fn binaries(packages: &[&str]) -> Result<PathBuf> {
    let checkout = cache::checkout()?;
    let host = run::quiet(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--locked", "--release", "--bins"]);
    cargo.args(["--target", host.trim()]);
    for package in packages {
        cargo.args(["--package", package]);
    }
    cargo
        .current_dir(&checkout)
        .env("RUSTFLAGS", "-C target-feature=+crt-static");
    run::quiet(&mut cargo)?;
    Ok(checkout.join("target").join(host.trim()).join("release"))
}

/// Copies beside and renames over: a program that runs meanwhile keeps its own file.
fn put(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    let part = to.with_extension("part");
    fs::copy(from, &part).with_context(|| format!("copy {}", from.display()))?;
    fs::rename(&part, to).with_context(|| format!("put {} in place", to.display()))
}
