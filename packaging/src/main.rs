//! Makes the packages.
//!
//! In: the static binary, a folder for the packages, `SOURCE_DATE_EPOCH`. Out: `taintwatch_VERSION_amd64.deb`, an .rpm
//! and a tarball. The same input gives the same bytes.

mod completions;
mod contents;
mod deb;
mod pages;
mod rpm;
mod tarball;

use std::{env, fs, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::Parser;

/// The version of all packages.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What it is, on one line.
const SUMMARY: &str = "records which module or event set each Linux kernel taint flag";
/// The same in some more words.
const DESCRIPTION: &str = "taintwatch monitors the kernel's taint state with eBPF and records each change: which \
    flag, which module or code, which task, and how that is known. It keeps the history over reboots in one SQLite \
    file, and sends it to the journal.";
const LICENCE: &str = "(MIT OR Apache-2.0) AND (GPL-2.0-only OR MIT)";

/// Make the packages of taintwatch
#[derive(Parser)]
struct Cli {
    /// The static binary
    binary: PathBuf,
    /// Where the packages go
    folder: PathBuf,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("taintwatch-package: {error:#}");
            2.into()
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    let date = env::var("SOURCE_DATE_EPOCH")
        .context("SOURCE_DATE_EPOCH is not set: `cargo xtask package` sets it to the time of the last commit")?;
    let date = date
        .parse()
        .with_context(|| format!("SOURCE_DATE_EPOCH is no number of seconds: {date}"))?;
    let binary = fs::read(&cli.binary).with_context(|| format!("read {}", cli.binary.display()))?;
    let files = contents::files(binary)?;
    for (name, bytes) in [
        (
            format!("taintwatch_{VERSION}_amd64.deb"),
            deb::make(&files, date)?,
        ),
        (
            format!("taintwatch-{VERSION}-1.x86_64.rpm"),
            rpm::make(&files, date)?,
        ),
        (
            format!("taintwatch-{VERSION}-x86_64-linux.tar.gz"),
            tarball::make(&files, date)?,
        ),
    ] {
        let path = cli.folder.join(name);
        fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}
