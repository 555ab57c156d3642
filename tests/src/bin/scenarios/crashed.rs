//! The kernel dies while it is watched, and the next boot looks for what it could not record.

use std::{fs, path::Path, process::Command, thread::sleep, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::{daemon::Daemon, history::History, loading::load};

/// Where systemd moves what pstore has, and where kdump writes.
const ARCHIVE: &str = "/var/lib/systemd/pstore/1700000000";
const KDUMP: &str = "/var/crash/127.0.0.1-2026-01-01-00:00:00";
const PSTORE: &str = "/sys/fs/pstore";

/// Is watched, taints, and dies of an oops; without modules of a key.
pub(crate) fn crash(db: &str) -> Result<()> {
    let daemon = Daemon::start(&[], &[], db)?;
    fs::write("/proc/sys/kernel/tainted", "64")?;
    History::of(db).taint("U", "sysctl_write", None)?;
    fs::write("/proc/sys/kernel/panic_on_oops", "1")?;
    nix::unistd::sync();
    if Path::new("/modules").is_dir() {
        load("tw_oops", "")?;
    } else {
        fs::write("/proc/sysrq-trigger", "c")?;
    }
    sleep(Duration::from_secs(20));
    drop(daemon);
    bail!("the kernel lives");
}

/// The next boot.
pub(crate) fn crashed(db: &str) -> Result<()> {
    let first = look(db)?;
    // The same crash from elsewhere is the same crash.
    copy_elsewhere()?;
    let second = look(db)?;
    let again: Vec<_> = second
        .iter()
        .filter(|event| !first.contains(event))
        .collect();
    ensure!(again.is_empty(), "reported twice: {again:?}");
    ensure!(first.len() == second.len(), "some are gone");
    println!("PASS crashed");
    Ok(())
}

/// Starts a recorder, which imports, and gives the events of the boot that died.
fn look(db: &str) -> Result<Vec<Value>> {
    let mut daemon = Daemon::start(&[], &[], db)?;
    daemon.stop()?;
    let output = Command::new("taintwatch")
        .args(["--db", db, "report", "--boot", "all", "--json"])
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let events: Vec<Value> = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let now = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let (of_now, of_dead): (Vec<_>, Vec<_>) = events
        .into_iter()
        .partition(|event| event["boot_id"] == now.trim());
    ensure!(
        of_now.iter().all(|event| event["kind"] == "coverage"),
        "the dead boot's events in this one: {of_now:?}"
    );
    let boots: std::collections::BTreeSet<_> = of_dead
        .iter()
        .map(|event| event["boot_id"].to_string())
        .collect();
    ensure!(boots.len() == 1, "boots: {boots:?}: {of_dead:?}");
    let panic = of_dead.iter().find(|event| {
        event["coverage"]["reason"]
            .as_str()
            .is_some_and(|reason| reason.starts_with("the kernel panicked: "))
    });
    let panic = panic.with_context(|| format!("no panic: {of_dead:?}"))?;
    let log = panic["log"].to_string();
    ensure!(
        log.contains("Kernel panic - not syncing"),
        "its log: {panic}"
    );
    let seen = of_dead.iter().find(|event| event["taint"]["letter"] == "U");
    ensure!(
        seen.is_some_and(|event| event["cause"]["confidence"] == "observed"),
        "what was watched: {of_dead:?}"
    );
    if Path::new("/modules").is_dir() {
        oops(&of_dead)?;
    }
    Ok(of_dead)
}

fn oops(events: &[Value]) -> Result<()> {
    let mut found = events
        .iter()
        .filter(|event| event["taint"]["letter"] == "D");
    let oops = found.next().context("no oops")?;
    ensure!(found.next().is_none(), "two oopses: {events:?}");
    let cause = &oops["cause"];
    ensure!(
        cause["confidence"] == "logged" && cause["class"] == "module_code",
        "cause: {oops}"
    );
    ensure!(cause["sources"][0] == "crash", "source: {oops}");
    ensure!(oops["module"]["name"] == "tw_oops", "module: {oops}");
    let log = oops["log"].to_string();
    for part in [
        "BUG: kernel NULL pointer dereference",
        "tw_oops_read",
        "Call Trace",
        "Fatal exception",
    ] {
        ensure!(log.contains(part), "no {part:?} in the log: {oops}");
    }
    Ok(())
}

fn copy_elsewhere() -> Result<()> {
    for folder in [ARCHIVE, KDUMP] {
        fs::create_dir_all(folder)?;
    }
    let mut whole = Vec::new();
    let mut modified = None;
    let mut files: Vec<_> = fs::read_dir(PSTORE)?.collect::<Result<_, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    for file in files {
        let to = Path::new(ARCHIVE).join(file.file_name());
        let times = fs::FileTimes::new().set_modified(file.metadata()?.modified()?);
        fs::copy(file.path(), &to)?;
        fs::File::options()
            .append(true)
            .open(&to)?
            .set_times(times)?;
        whole.extend(fs::read(file.path())?);
        modified = Some(times);
    }
    let log = Path::new(KDUMP).join("vmcore-dmesg.txt");
    fs::write(&log, whole)?;
    let times = modified.context("pstore is empty")?;
    Ok(fs::File::options()
        .append(true)
        .open(log)?
        .set_times(times)?)
}
