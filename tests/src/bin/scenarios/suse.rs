//! SUSE's own flags on a machine whose os-release is SUSE's: bits 16 and 31, whose letters depend on the kernel.
//!
//! In: a module that stands in for SUSE's loader. Out: the vendor's letters and words in events and in `status`, `why`.

use std::{fs, path::Path, process::Command};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::{
    causes::{log_has, release, unload},
    daemon::Daemon,
    history::History,
    loading::{is_ours, load},
};

const OS_RELEASE: &str = "/etc/os-release";
const DB: &str = "/var/lib/taintwatch/suse.db";

/// Whether a kernel's release names its vendor, as Debian's does since 6.12: os-release counts only where it does not.
pub(crate) fn is_named_by(release: &str) -> bool {
    release.contains("+deb")
}

/// Runs a recorder on a machine of SUSE.
pub(crate) fn flags() -> Result<()> {
    ensure!(
        !Path::new(OS_RELEASE).exists(),
        "the guest has an os-release of its own"
    );
    fs::write(
        OS_RELEASE,
        "NAME=\"SLES\"\nID=\"sles\"\nVERSION_ID=\"15.6\"\n",
    )?;
    let recorded = recorded();
    fs::remove_file(OS_RELEASE)?;
    recorded
}

fn recorded() -> Result<()> {
    let mut recorder = Daemon::start(&[], &[], DB)?;
    let seen = seen();
    recorder.stop()?;
    seen
}

fn seen() -> Result<()> {
    let mut history = History::of(DB);
    history.settled()?;
    history.catch_up()?;
    // Upstream took the capital letter for a flag of its own in 6.0; SUSE's became small with 6.11.
    let no_support = if release()? >= (6, 11) { "n" } else { "N" };
    for (support, bit, letter, line) in [
        ("external", 16, "X", "tw_suse: externally supported module"),
        (
            "none",
            31,
            no_support,
            "tw_suse: module is not supported by SUSE",
        ),
    ] {
        load("tw_suse", &format!("support={support}"))?;
        let event = history.expect(&[
            ("/kind", "taint".into()),
            ("/taint/bit", bit.into()),
            ("/taint/letter", letter.into()),
            ("/module/name", "tw_suse".into()),
        ])?;
        is_ours(&event)?;
        log_has(&event, &[line])?;
        let vendor = event["taint"]["vendor"].as_str().unwrap_or_default();
        ensure!(vendor.starts_with("suse"), "vendor: {event}");
        unload("tw_suse")?;
    }
    let status = said(&["status"])?;
    ensure!(
        status.contains("EXTERNAL_SUPPORT") && status.contains("NO_SUPPORT"),
        "status: {status}"
    );
    let why: Value = serde_json::from_str(&said(&["why", "X", "--json"])?)?;
    ensure!(why.to_string().contains("tw_suse"), "why: {why}");
    Ok(())
}

/// What taintwatch prints on standard output.
fn said(words: &[&str]) -> Result<String> {
    let output = Command::new("taintwatch")
        .args(["--db", DB])
        .args(words)
        .output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
