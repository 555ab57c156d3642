//! A recorder that ends leaves its hooks attached, and the next one takes over: nothing is lost, nothing is twice.
//!
//! In: a BPF file system. Out: a result for each way to end.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{sleep, spawn},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use nix::mount::{MsFlags, mount};
use serde_json::Value;

use crate::{
    NO_HEADERS, Tally, cpus,
    daemon::Daemon,
    history::History,
    loading::{load, load_file},
    storm::{counted, delete},
};

const DB: &str = "/var/lib/taintwatch/takeover.db";
const PINS: &str = "/sys/fs/bpf/taintwatch";
/// Calls of `add_taint` at once, between two pauses.
const CALLS: u64 = 25;

pub(crate) fn all(kills: u32) -> Result<()> {
    if !Path::new(PINS).parent().is_some_and(is_bpffs) {
        mount(
            Some("bpf"),
            "/sys/fs/bpf",
            Some("bpf"),
            MsFlags::empty(),
            None::<&str>,
        )
        .context("mount a BPF file system")?;
    }
    let mut tally = Tally::default();
    if !Path::new("/modules").is_dir() {
        println!("NA hooks that outlive the recorder: {NO_HEADERS}");
        return tally.end();
    }
    tally.count("a stopped recorder's hooks are taken over", stopped());
    tally.count(
        "killed recorders lose nothing, and nothing is twice",
        killed(kills),
    );
    tally.count(
        "a CPU that went away meanwhile is watched again",
        cpu_went_away(),
    );
    tally.count("hooks of another kind are replaced", replaced());
    tally.count("detach ends what a recorder left", detached());
    tally.end()
}

fn is_bpffs(path: &Path) -> bool {
    use nix::sys::statfs::{BPF_FS_MAGIC, statfs};
    statfs(path).is_ok_and(|it| it.filesystem_type() == BPF_FS_MAGIC)
}

fn start() -> Result<Daemon> {
    with_hooks(&[])
}

/// One whose hooks stay attached, as they do unless the configuration says otherwise.
fn with_hooks(arguments: &[&str]) -> Result<Daemon> {
    let mut daemon = Daemon::spawn(&[], arguments, DB)?;
    daemon.wait()?;
    Ok(daemon)
}

/// Ended by SIGTERM: what happens then has all its detail.
fn stopped() -> Result<()> {
    let mut first = start()?;
    first.stop()?;
    ensure!(
        Path::new(PINS).is_dir(),
        "nothing is pinned: {}",
        first.said()?
    );
    let mut history = History::of(DB);
    history.catch_up()?;
    load("tw_storm", "")?;
    fs::write("/sys/module/tw_storm/parameters/go", "3 1 6")?;
    fs::write("/proc/sys/kernel/tainted", "4")?;
    let mut second = start()?;
    for letter in ["O", "E"] {
        let event = history.taint(letter, "module_load", Some("tw_storm"))?;
        ensure!(event["task"]["comm"] == "scenarios", "task: {event}");
        ensure!(
            event["module"]["path"] == "/modules/tw_storm.ko",
            "path: {event}"
        );
        ensure!(
            event["cause"]["confidence"] == "observed",
            "confidence: {event}"
        );
    }
    history.taint("S", "sysctl_write", None)?;
    counted(&history, of_storm, 3)?;
    let began = history.expect(&[("/kind", "coverage".into())])?;
    ensure!(began["coverage"]["state"] == "began", "state: {began}");
    ensure!(
        began["coverage"]["attached_since_ns"].is_u64(),
        "since: {began}"
    );
    no_gaps()?;
    second.stop()
}

/// Killed again and again while events come: loads with a number each, and calls of `add_taint` that are counted.
fn killed(kills: u32) -> Result<()> {
    let mut daemon = start()?;
    let mut history = History::of(DB);
    history.catch_up()?;
    let ends = Arc::new(AtomicBool::new(false));
    let flow = spawn({
        let ends = Arc::clone(&ends);
        move || flow(&ends)
    });
    // Times that differ from run to run: each is printed, should one ever matter.
    let seed = u64::from(std::process::id()) ^ fs::metadata(DB)?.len();
    let mut random = seed;
    for number in 0..kills {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        sleep(Duration::from_millis((random >> 33) % 1500));
        daemon.kill()?;
        // One that is killed while it takes over is no other case.
        daemon = if number % 3 == 2 {
            Daemon::spawn(&[], &[], DB)?
        } else {
            start()?
        };
    }
    daemon.wait()?;
    ends.store(true, Ordering::Relaxed);
    let flow = flow
        .join()
        .map_err(|_panic| anyhow!("the flow's thread ended"))??;
    println!(
        "takeover: {kills} kills (seed {seed:x}), {} loads, {} calls",
        flow.loads, flow.calls
    );
    counted(&history, of_storm, flow.calls)?;
    loads_are_there_once(&history.new_events()?, flow.loads)?;
    no_gaps()?;
    daemon.stop()
}

/// Each load by its number, and its unload.
fn loads_are_there_once(events: &[Value], loads: u64) -> Result<()> {
    let lost = events.iter().filter(|event| event["kind"] == "lost");
    let lost: Vec<_> = lost.map(|event| event["lost"]["what"].clone()).collect();
    // The ring may be full when the next one has started: what it then had no room for is detail, never a taint or a load.
    let may_lack = !lost.is_empty();
    let is_detail = |what: &Value| *what == "process_detail" || *what == "module_path";
    ensure!(lost.iter().all(is_detail), "lost: {lost:?}");
    let mut numbers = BTreeMap::new();
    for event in of_module(events, "module_load") {
        let words = event["task"]["cmdline"].as_array();
        let mut words = words.into_iter().flatten().filter_map(Value::as_str);
        let number = words.find_map(|word| word.strip_prefix("number="));
        ensure!(
            number.is_some() || may_lack,
            "a load without its command line: {event}"
        );
        if let Some(number) = number {
            *numbers.entry(number.to_owned()).or_insert(0) += 1;
        }
    }
    for number in 0..loads {
        let times = numbers.remove(&number.to_string()).unwrap_or(0);
        ensure!(
            times == 1 || times == 0 && may_lack,
            "load {number} is {times} times in the history"
        );
    }
    ensure!(numbers.is_empty(), "loads that never were: {numbers:?}");
    for kind in ["module_load", "module_unload"] {
        let found = u64::try_from(of_module(events, kind).count())?;
        ensure!(found == loads, "{found} events {kind} of {loads}");
    }
    Ok(())
}

/// Events of this kind of the module that comes and goes.
fn of_module<'a>(events: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    let events = events.iter().filter(move |event| event["kind"] == kind);
    events.filter(|event| event["module"]["name"] == "tw_gpl")
}

/// What was done.
#[derive(Default)]
struct Flow {
    loads: u64,
    calls: u64,
}

fn flow(ends: &AtomicBool) -> Result<Flow> {
    let mut done = Flow::default();
    while !ends.load(Ordering::Relaxed) {
        let status = Command::new("/proc/self/exe")
            .args([
                "insmod",
                "/modules/tw_gpl.ko",
                &format!("number={}", done.loads),
            ])
            .status()?;
        ensure!(status.success(), "load {}", done.loads);
        done.loads += 1;
        delete("tw_gpl")?;
        fs::write("/sys/module/tw_storm/parameters/go", format!("{CALLS} 1 6"))?;
        done.calls += CALLS;
        // What comes until the next recorder reads has to fit the ring: on a busy machine that is half a minute.
        sleep(Duration::from_secs(1));
    }
    Ok(done)
}

/// A CPU's watchpoint ends with the CPU. The recorder that comes next proves each, and sets this one anew.
fn cpu_went_away() -> Result<()> {
    let mut first = start()?;
    first.stop()?;
    cpus::switch(1, "0")?;
    cpus::switch(1, "1")?;
    let mut history = History::of(DB);
    history.catch_up()?;
    let mut second = start()?;
    let began = history.expect(&[("/kind", "coverage".into())])?;
    let reason = began["coverage"]["reason"].as_str().unwrap_or_default();
    ensure!(reason.contains("watchpoints of CPU 1,"), "reason: {began}");
    second.stop()
}

/// Started with other mechanisms: what was attached goes, after what it had recorded is in the history.
fn replaced() -> Result<()> {
    let mut first = start()?;
    first.stop()?;
    let mut history = History::of(DB);
    history.catch_up()?;
    load_file("/modules/tw_gpl.ko", "")?;
    delete("tw_gpl")?;
    fs::write(
        "/sys/module/tw_storm/parameters/go",
        format!("{} 1 6", 4 * CALLS),
    )?;
    let mut second = with_hooks(&["--without", "fexit"])?;
    history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "tw_gpl".into()),
    ])?;
    fs::write("/sys/module/tw_storm/parameters/go", format!("{CALLS} 1 6"))?;
    // Where the kernel resolves no code, modules that came and went meanwhile leave none of it a name.
    counted(&history, |event| event["taint"]["letter"] == "U", 5 * CALLS)?;
    second.stop()?;
    // And back.
    let mut third = start()?;
    third.stop()
}

fn detached() -> Result<()> {
    let detach = || Command::new("taintwatch").arg("detach").output();
    let mut daemon = start()?;
    let refused = detach()?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(
        refused.status.code() == Some(2) && said.contains("another daemon"),
        "{refused:?}"
    );
    daemon.stop()?;
    let programs = attached();
    ensure!(programs > 0, "no program is attached");
    let done = detach()?;
    ensure!(done.status.success(), "{done:?}");
    ensure!(!Path::new(PINS).exists(), "the folder is still there");
    sleep(Duration::from_secs(1));
    let left = attached();
    ensure!(
        left == 0,
        "{left} of {programs} programs are still attached"
    );
    let again = detach()?;
    ensure!(again.status.success(), "{again:?}");
    Ok(())
}

/// Programs of this kernel that hooks of taintwatch run: by the names of some.
fn attached() -> usize {
    let names = ["mask_watch", "taint_entry", "load_module"];
    let loaded = aya::programs::loaded_programs();
    let ours = loaded.filter_map(Result::ok).filter(|program| {
        let name = program.name_as_str().unwrap_or_default().to_owned();
        names.iter().any(|known| name.starts_with(known))
    });
    ours.count()
}

/// Nothing after the first recorder began is a gap.
fn no_gaps() -> Result<()> {
    let status = Command::new("taintwatch")
        .args(["--db", DB, "status", "--json"])
        .output()?;
    let status: Value = serde_json::from_slice(&status.stdout)?;
    let holes = status["holes"]
        .as_array()
        .context("no holes in the status")?;
    let known = |hole: &Value| hole["reason"] == "before monitoring began";
    ensure!(holes.iter().all(known), "gaps: {holes:?}");
    Ok(())
}

fn of_storm(event: &Value) -> bool {
    event["taint"]["letter"] == "U" && event["module"]["name"] == "tw_storm"
}
