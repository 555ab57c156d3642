//! The kernel dies while it is watched, and the next boot looks for what it could not record.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread::sleep,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
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

/// The next boot: the crash is read from each place by itself, and from all of them it is one crash.
pub(crate) fn crashed(db: &str) -> Result<()> {
    let alone = [ARCHIVE, KDUMP].map(|place| (place, copy_history(db)));
    let first = look(db)?;
    for (place, copy) in alone {
        let only = from_place(place, &copy?)?;
        // The log that is written here for kdump has each part of pstore behind the other: it ends a report elsewhere.
        if place == ARCHIVE {
            if Path::new("/modules").is_dir() {
                oops(&only)?;
            }
            ensure!(
                ids(&only) == ids(&first),
                "{place} gives {only:?}, and pstore {first:?}"
            );
        }
    }
    // The same crash from elsewhere is the same crash.
    copy_to(ARCHIVE)?;
    copy_to(KDUMP)?;
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

fn ids(events: &[Value]) -> BTreeSet<String> {
    events.iter().map(|event| event["id"].to_string()).collect()
}

/// The history as the crash left it, for another recorder.
fn copy_history(db: &str) -> Result<String> {
    static COPIES: AtomicUsize = AtomicUsize::new(0);
    let copy = format!("{db}.{}", COPIES.fetch_add(1, Ordering::Relaxed));
    for end in ["", "-wal"] {
        let from = format!("{db}{end}");
        if fs::exists(&from)? {
            fs::copy(from, format!("{copy}{end}"))?;
        }
    }
    Ok(copy)
}

/// The events of the crash where nothing but this place has it.
fn from_place(place: &str, db: &str) -> Result<Vec<Value>> {
    copy_to(place)?;
    mount(
        Some("tmpfs"),
        PSTORE,
        Some("tmpfs"),
        MsFlags::empty(),
        None::<&str>,
    )?;
    let found = panic(db).with_context(|| format!("from {place} alone"));
    umount2(PSTORE, MntFlags::empty())?;
    fs::remove_dir_all(place)?;
    found
}

/// The events of the boot that died, each as it must be.
fn look(db: &str) -> Result<Vec<Value>> {
    let of_dead = panic(db)?;
    if Path::new("/modules").is_dir() {
        oops(&of_dead)?;
    }
    Ok(of_dead)
}

/// Starts a recorder, which imports, and gives the events of the boot that died; its panic is among them.
fn panic(db: &str) -> Result<Vec<Value>> {
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
    let boots: BTreeSet<_> = of_dead
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

/// Copies what pstore has, with its times: file by file as systemd does, or as the one log that kdump writes.
fn copy_to(place: &str) -> Result<()> {
    fs::create_dir_all(place)?;
    let mut whole = Vec::new();
    let mut modified = None;
    let mut files: Vec<_> = fs::read_dir(PSTORE)?.collect::<Result<_, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    for file in files {
        let times = fs::FileTimes::new().set_modified(file.metadata()?.modified()?);
        let bytes = fs::read(file.path())?;
        if place == ARCHIVE {
            write(&Path::new(place).join(file.file_name()), &bytes, times)?;
        }
        whole.extend(bytes);
        modified = Some(times);
    }
    let times = modified.context("pstore is empty")?;
    if place == KDUMP {
        write(&Path::new(place).join("vmcore-dmesg.txt"), &whole, times)?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8], times: fs::FileTimes) -> Result<()> {
    fs::write(path, bytes)?;
    Ok(fs::File::options()
        .append(true)
        .open(path)?
        .set_times(times)?)
}
