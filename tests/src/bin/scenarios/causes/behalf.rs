//! On whose behalf a module is loaded, and who a task is to the whole machine.

use std::{fs, process::Command};

use anyhow::{Result, ensure};

use super::unload;
use crate::{history::History, loading::load_file};

/// The kernel asks for a module since a task without any right made a socket.
pub(crate) fn requested(history: &mut History) -> Result<()> {
    fs::write("/proc/sys/kernel/modprobe", "/usr/bin/modprobe")?;
    let status = Command::new("constrain")
        .args(["unprivileged", "scenarios", "socket", "5"])
        .status()?;
    ensure!(status.success(), "socket: {status}");
    let event = history.taint("O", "module_load", Some("dummy"))?;
    ensure!(
        event["task"]["comm"] == "modprobe" && event["task"]["uid"] == 0,
        "task: {event}"
    );
    let by = &event["requested_by"];
    ensure!(by["alias"] == "net-pf-5", "alias: {event}");
    ensure!(
        by["task"]["uid"] == 65534 && by["task"]["comm"] == "scenarios",
        "requester: {event}"
    );
    ensure!(by["task"]["cmdline"][1] == "socket", "requester: {event}");
    unload("dummy")
}

/// A task in namespaces of its own is named as the whole machine knows it.
pub(crate) fn namespaces(history: &mut History) -> Result<()> {
    let status = Command::new("busybox")
        .args([
            "unshare",
            "-p",
            "-f",
            "-m",
            "insmod",
            "/patched/dummy.ko",
            "numdummies=0",
        ])
        .status()?;
    ensure!(status.success(), "unshare: {status}");
    let event = history.taint("O", "module_load", Some("dummy"))?;
    ensure!(
        event["task"]["comm"] == "insmod" && event["task"]["pid"].as_u64() > Some(2),
        "task: {event}"
    );
    ensure!(
        event["module"]["path"] == "/patched/dummy.ko",
        "path: {event}"
    );
    unload("dummy")
}

/// `scenarios socket FAMILY`: makes the kernel ask for `net-pf-FAMILY`.
pub(crate) fn socket(family: i32) -> Result<()> {
    // SAFETY: no pointers.
    let fd = unsafe { libc::socket(family, libc::SOCK_DGRAM, 0) };
    ensure!(fd < 0, "the family {family} is there already");
    Ok(())
}

/// `scenarios sockets NUMBER`: makes the kernel ask for modules so often.
pub(crate) fn sockets(number: u32) -> Result<()> {
    for _ in 0..number {
        // A family that nothing here has (`AF_IPX`).
        socket(4)?;
    }
    Ok(())
}

/// As the kernel's helper: loads the same module for whatever is asked for.
pub(crate) fn modprobe() -> Result<()> {
    Ok(load_file("/patched/dummy.ko", "numdummies=0")?)
}
