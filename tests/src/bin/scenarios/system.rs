//! What only a whole system has: udev that looks for a driver, and kmod with its force.

use std::{fs, process::Command};

use anyhow::{Result, ensure};

use crate::history::History;

/// A device announces itself, udev loads the module that says it fits: the record names the device.
pub(crate) fn udev(history: &mut History) -> Result<()> {
    run("modprobe", &["tw_device"])?;
    let event = history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "tw_driver".into()),
    ])?;
    let by = &event["requested_by"];
    ensure!(by["alias"] == "platform:tw_device", "alias: {event}");
    ensure!(
        by["devices"][0] == "/devices/platform/tw_device",
        "device: {event}"
    );
    ensure!(event["task"]["comm"] == "(udev-worker)", "task: {event}");
    ensure!(
        event["task"]["unit"] == "systemd-udevd.service",
        "unit: {event}"
    );
    let why = Command::new("taintwatch")
        .args(["--db", crate::DB_OF_SYSTEM, "why", "tw_driver"])
        .output()?;
    let why = String::from_utf8(why.stdout)?;
    ensure!(why.contains("/devices/platform/tw_device"), "why: {why}");
    run("modprobe", &["-r", "tw_driver", "tw_device"])
}

/// By force, with kmod's own switches.
pub(crate) fn force(history: &mut History) -> Result<()> {
    run("modprobe", &["--force", "tw_pinned"])?;
    let event = history.taint("F", "module_load", Some("tw_pinned"))?;
    ensure!(event["task"]["comm"] == "modprobe", "task: {event}");
    run("rmmod", &["--force", "tw_pinned"])?;
    let event = history.taint("R", "module_unload", Some("tw_pinned"))?;
    ensure!(event["task"]["cmdline"][0] == "rmmod", "task: {event}");
    Ok(())
}

/// Packed, on a kernel that unpacks nothing: kmod unpacks it, and no file stands behind the load. Its name alone
/// leads to one.
pub(crate) fn unpacked_by_kmod(history: &mut History) -> Result<()> {
    ensure!(
        !fs::exists("/sys/module/compression")?,
        "this kernel unpacks by itself: another scenario asks for that"
    );
    run("modprobe", &["tw_gpl"])?;
    let event = history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "tw_gpl".into()),
    ])?;
    let module = &event["module"];
    ensure!(
        module["source"] == "memory" && module.get("path").is_none(),
        "source: {event}"
    );
    ensure!(
        module.get("sha256").is_none(),
        "the hash of a guess: {event}"
    );
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let guess = format!("/lib/modules/{}/extra/tw_gpl.ko.xz", release.trim());
    ensure!(module["candidate"] == guess, "candidate: {event}");
    run("modprobe", &["-r", "tw_gpl"])
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program).args(arguments).output()?;
    ensure!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
