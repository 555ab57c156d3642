//! SUSE's own two flags on a machine of SUSE, whose bits and letters depend on the kernel.
//!
//! In: a module that stands in for SUSE's loader, an os-release and a kernel's release of SUSE, of another era on each
//! kernel. Out: the vendor's letters and words in events and in `status`, `why`.

use std::{fs, process::Command};

use anyhow::{Context as _, Result, ensure};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::Value;

use crate::{
    causes::{log_has, release, unload},
    daemon::Daemon,
    history::History,
    loading::{is_ours, load},
};

const DB: &str = "/var/lib/taintwatch/suse.db";
/// What a machine of SUSE has there.
const OS_RELEASE: (&str, &str) = (
    "/etc/os-release",
    "NAME=\"SLES\"\nID=\"sles\"\nVERSION_ID=\"15.6\"\n",
);
const RELEASE: &str = "/proc/sys/kernel/osrelease";
const RELEASE_OF_SUSE: &str = "/tmp/osrelease";

/// A generation of SUSE's kernels.
struct Era {
    release: &'static str,
    vendor: &'static str,
    /// The bit of X: 31 before 5.3.
    external: u32,
    /// The bit of N: 30 before 5.3.
    none: u32,
    /// Its letter: upstream took the capital one for a flag of its own in 6.0, and SUSE's became small with 6.11.
    no_support: &'static str,
}

const SLE12: Era = Era {
    release: "4.12.14-122.74-default",
    vendor: "suse-sle12",
    external: 31,
    none: 30,
    no_support: "N",
};
const SLE15: Era = Era {
    release: "5.14.21-150500.55.39-default",
    vendor: "suse-sle15sp2",
    external: 16,
    none: 31,
    no_support: "N",
};
const SLE16: Era = Era {
    release: "6.12.0-160000.5-default",
    vendor: "suse",
    external: 16,
    none: 31,
    no_support: "n",
};

/// Runs a recorder on a machine of SUSE.
pub(crate) fn flags() -> Result<()> {
    let era = match release()? {
        of if of < (6, 0) => SLE12,
        of if of < (6, 11) => SLE15,
        _ => SLE16,
    };
    let (os_release, text) = OS_RELEASE;
    fs::write(os_release, text)?;
    fs::write(RELEASE_OF_SUSE, format!("{}\n", era.release))?;
    let none: Option<&str> = None;
    mount(Some(RELEASE_OF_SUSE), RELEASE, none, MsFlags::MS_BIND, none).context("mount")?;
    let recorded = recorded(&era);
    umount2(RELEASE, MntFlags::empty()).context("unmount")?;
    fs::remove_file(os_release)?;
    recorded
}

fn recorded(era: &Era) -> Result<()> {
    let mut recorder = Daemon::start(&[], &[], DB)?;
    let seen = seen(era);
    recorder.stop()?;
    seen
}

fn seen(era: &Era) -> Result<()> {
    let mut history = History::of(DB);
    history.settled()?;
    history.catch_up()?;
    for (support, bit, letter, line) in [
        (
            "external",
            era.external,
            "X",
            "tw_suse: externally supported module",
        ),
        (
            "none",
            era.none,
            era.no_support,
            "tw_suse: module is not supported by SUSE",
        ),
    ] {
        load("tw_suse", &format!("support={support}@{bit}"))?;
        let event = history.expect(&[
            ("/kind", "taint".into()),
            ("/taint/bit", bit.into()),
            ("/taint/letter", letter.into()),
            ("/module/name", "tw_suse".into()),
        ])?;
        is_ours(&event)?;
        ensure!(event["module"]["sha256"].is_string(), "no file: {event}");
        log_has(&event, &[line])?;
        ensure!(event["taint"]["vendor"] == era.vendor, "vendor: {event}");
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
