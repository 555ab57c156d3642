//! A boot whose initial file system attaches the hooks: every module is in the history, from the first one on.
//!
//! In: a machine that was booted so, with systemd and udev. Out: a line.

use std::{
    collections::HashSet,
    fs,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::Tally;

const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) fn all() -> Result<()> {
    let mut tally = Tally::default();
    tally.count(
        "early: each module of the boot is in the history",
        first_module(),
    );
    tally.count(
        "early: a daemon in a container takes over, and names the host's files",
        in_container(),
    );
    tally.end()
}

fn first_module() -> Result<()> {
    let events = recorded()?;
    let began = events
        .iter()
        .find(|event| event["coverage"]["state"] == "began");
    let began = began.context("no coverage")?;
    let attached = began["coverage"]["attached_since_ns"].as_u64();
    let attached = attached.with_context(|| format!("the daemon took nothing over: {began}"))?;
    let loads = events.iter().filter(|event| event["kind"] == "module_load");
    let names: HashSet<_> = loads
        .clone()
        .filter_map(|load| load["module"]["name"].as_str())
        .collect();
    let loaded = fs::read_to_string("/proc/modules")?;
    let loaded = loaded.lines().filter_map(|line| line.split(' ').next());
    let missing: Vec<_> = loaded.filter(|name| !names.contains(name)).collect();
    let lost: Vec<_> = events
        .iter()
        .filter(|event| event["kind"] == "lost")
        .collect();
    ensure!(
        missing.is_empty(),
        "these are loaded, and no event says so: {missing:?}; there are {names:?}; lost: {lost:?}"
    );
    let before = |load: &&Value| load["boottime_ns"].as_u64() < began["boottime_ns"].as_u64();
    let early: Vec<_> = loads.filter(before).collect();
    ensure!(
        !early.is_empty(),
        "no module was loaded before the daemon began: {names:?}"
    );
    for load in &early {
        ensure!(load["boottime_ns"].as_u64() > Some(attached), "{load}");
        ensure!(load["task"]["pid"].is_u64(), "no task loaded it: {load}");
    }
    let by_udev = early
        .iter()
        .filter(|load| load["task"]["comm"] == "(udev-worker)" || load["requested_by"].is_object());
    println!(
        "early: attached {} ms after the kernel began, the daemon {} ms; {} of {} loads before it, {} of them by udev",
        attached / 1_000_000,
        began["boottime_ns"].as_u64().unwrap_or(0) / 1_000_000,
        early.len(),
        names.len(),
        by_udev.count()
    );
    Ok(())
}

/// The events of this boot, once the daemon has begun and has taken what waited for it.
fn recorded() -> Result<Vec<Value>> {
    let started = Instant::now();
    let mut before = None;
    loop {
        let events = events()?;
        let began = events.iter().any(|event| event["kind"] == "coverage");
        if began && before == Some(events.len()) {
            return Ok(events);
        }
        before = Some(events.len());
        if started.elapsed() > PATIENCE {
            let said = Command::new("journalctl")
                .args(["-u", "taintwatch*", "--no-pager"])
                .output()?;
            bail!(
                "no coverage in {events:?}; {}",
                String::from_utf8_lossy(&said.stdout)
            );
        }
        sleep(Duration::from_secs(2));
    }
}

/// The host's daemon stops, and one in a container takes over: it sees the host's processes and files as the host's.
fn in_container() -> Result<()> {
    const BUNDLE: &str = "/run/bundle";
    let root = format!("{BUNDLE}/rootfs");
    for folder in ["usr/bin", "etc"] {
        fs::create_dir_all(format!("{root}/{folder}"))?;
    }
    fs::copy("/usr/bin/taintwatch", format!("{root}/usr/bin/taintwatch"))?;
    fs::copy("/config.json", format!("{BUNDLE}/config.json"))?;
    run("systemctl", &["stop", "taintwatch"])?;
    fs::create_dir_all("/run/taintwatch")?;
    let before = events()?.len();
    let mut container = Command::new("crun")
        .args(["run", "--bundle", BUNDLE, "taintwatch"])
        .spawn()?;
    let seen = load_and_look(before);
    run("crun", &["kill", "taintwatch", "TERM"])?;
    container.wait()?;
    run("systemctl", &["start", "taintwatch"])?;
    seen
}

fn load_and_look(before: usize) -> Result<()> {
    let of_module = |events: &[Value]| {
        let mut new = events.iter().skip(before);
        let is_it =
            |event: &&Value| event["kind"] == "module_load" && event["module"]["name"] == "tw_gpl";
        new.find(is_it)
            .filter(|event| event["module"].get("sha256").is_some())
            .cloned()
    };
    let took_over = |events: &[Value]| {
        let mut new = events.iter().skip(before);
        new.any(|event| event["coverage"]["attached_since_ns"].is_u64())
    };
    wait("the daemon in the container", |events| {
        took_over(events).then_some(())
    })?;
    crate::loading::load("tw_gpl", "")?;
    let load = wait("a load with its file's hash", of_module)?;
    ensure!(
        load["module"]["path"] == "/modules/tw_gpl.ko",
        "path: {load}"
    );
    ensure!(
        load["module"].get("mount_namespace").is_none(),
        "another namespace: {load}"
    );
    ensure!(load["task"]["exe"] == "/usr/bin/scenarios", "exe: {load}");
    ensure!(
        load["task"].get("mount_namespace").is_none(),
        "another namespace: {load}"
    );
    ensure!(load["task"]["unit"] == "scenarios.service", "unit: {load}");
    Ok(())
}

fn wait<T>(what: &str, look: impl Fn(&[Value]) -> Option<T>) -> Result<T> {
    let started = Instant::now();
    loop {
        let events = events()?;
        if let Some(found) = look(&events) {
            return Ok(found);
        }
        ensure!(
            started.elapsed() < PATIENCE,
            "no {what}: {:?}",
            events.iter().rev().take(5).collect::<Vec<_>>()
        );
        sleep(Duration::from_millis(500));
    }
}

fn events() -> Result<Vec<Value>> {
    let report = Command::new("taintwatch")
        .args(["report", "--json"])
        .output()?;
    let text = String::from_utf8(report.stdout)?;
    Ok(text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?)
}

fn run(program: &str, words: &[&str]) -> Result<()> {
    let output = Command::new(program)
        .args(words)
        .output()
        .with_context(|| format!("run {program}"))?;
    ensure!(
        output.status.success(),
        "{program} {words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
