//! A recorder that starts on a kernel that is tainted already: what can be explained is, the rest is said to be
//! unknown, no innocent task or module is named, and a second start records nothing twice.
//!
//! The guest boots with an ACPI table in the firmware's place, which the kernel logs and which does not taint
//! (`acpi_table_initrd_override` calls nothing that does; seen on 5.10 to 7.3).

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::{
    Tally,
    causes::unload,
    daemon::Daemon,
    history::History,
    loading::{load, load_file},
    truth::{Actors, Verdict},
};

/// The history of the recorder that finds the log whole, and of the one that finds its beginning overwritten.
const WHOLE: &str = "/var/lib/taintwatch/whole.db";
const OVERWRITTEN: &str = "/var/lib/taintwatch/overwritten.db";
/// More lines than the log's buffer of any of the kernels holds: it has a descriptor for every 32 bytes
/// (`PRB_AVGBITS`, `kernel/printk/printk.c`; `CONFIG_LOG_BUF_SHIFT` is 17).
const NOISE: usize = 10_000;

const ACTORS: Actors = Actors {
    modules: &[
        "tw_proprietary",
        "tw_warn_init",
        "tw_gpl",
        "tw_test",
        "tw_unresolved",
        "dummy",
    ],
    tasks: &["scenarios"],
    // U, which nothing prints; W too, where its report is overwritten.
    unknown: 2,
};

/// What was done before, in order; the first module is the one that the log names.
struct Before {
    /// Modules were built for this kernel.
    modules: bool,
    first: &'static str,
}

pub(crate) fn all() -> Result<()> {
    let mut tally = Tally::default();
    let before = taint()?;
    let whole = watch(WHOLE)?;
    tally.count("late, the log whole", with_log(&before, &whole));
    tally.count("late, tail without a recorder", tail_alone(&whole));
    let again = watch(WHOLE)?;
    tally.count("late, started again", nothing_twice(&whole, &again));
    overwrite_log()?;
    let overwritten = watch(OVERWRITTEN)?;
    // A machine with a journal has the lines there, as long as they were not overwritten.
    if Path::new("/run/systemd/journal/socket").exists() {
        tally.count(
            "late, the log in the journal",
            with_log(&before, &overwritten),
        );
    } else {
        tally.count(
            "late, the log overwritten",
            without_log(&before, &overwritten),
        );
    }
    let mut verdict = Verdict::default();
    verdict.judge(&again, ACTORS);
    verdict.judge(&overwritten, ACTORS);
    println!(
        "names: late {} {} {}",
        verdict.right,
        verdict.unknown,
        verdict.wrong.len()
    );
    tally.names("late", &verdict);
    tally.end()
}

/// Loads, unloads, warns and writes, before monitoring begins.
fn taint() -> Result<Before> {
    let log = String::from_utf8(Command::new("dmesg").output()?.stdout)?;
    ensure!(
        log.contains("Table Upgrade: override [WAET-"),
        "the kernel did not take the ACPI table: boot it with one"
    );
    let mask = fs::read_to_string("/proc/sys/kernel/tainted")?;
    ensure!(mask.trim() == "0", "tainted at the boot: {mask}");
    let modules = Path::new("/modules").is_dir();
    let first = if modules { "tw_proprietary" } else { "dummy" };
    if modules {
        load("tw_proprietary", "")?;
        load("tw_warn_init", "")?;
        unload("tw_warn_init")?;
        load("tw_gpl", "")?;
        unload("tw_gpl")?;
        load("tw_test", "")?;
        ensure!(load("tw_unresolved", "").is_err(), "it has no such symbol");
    } else {
        load_file("/patched/dummy.ko", "numdummies=0")?;
    }
    fs::write("/proc/sys/kernel/tainted", "64")?;
    Ok(Before { modules, first })
}

/// Starts a recorder, ends it, and gives its whole history.
fn watch(db: &str) -> Result<Vec<Value>> {
    let mut daemon = Daemon::start(&[], &[], db)?;
    let history = History::of(db);
    history.later()?;
    daemon.stop()?;
    // What it recorded at its end, too.
    history.all()
}

/// A tail that monitors by itself shows the last of what was before it.
fn tail_alone(recorded: &[Value]) -> Result<()> {
    let summaries = |events: &[Value]| -> Vec<String> {
        let taints = events.iter().filter(|event| event["kind"] == "taint");
        taints
            .map(|event| event["cause"]["summary"].to_string())
            .collect()
    };
    let mut tail = Command::new("taintwatch")
        .args(["tail", "-n", "2", "--json"])
        .stdout(Stdio::piped())
        .spawn()?;
    let output = tail.stdout.take().context("a tail without output")?;
    let lines = BufReader::new(output).lines().take(3);
    let events: Vec<Value> = lines
        .map(|line| Ok(serde_json::from_str(&line?)?))
        .collect::<Result<_>>()?;
    kill(Pid::from_raw(i32::try_from(tail.id())?), Signal::SIGINT)?;
    let status = tail.wait()?;
    ensure!(status.success(), "the tail ended with {status}");
    ensure!(events[0]["kind"] == "coverage", "first: {events:?}");
    let recorded = summaries(recorded);
    let last = &recorded[recorded.len().saturating_sub(2)..];
    ensure!(
        summaries(&events) == last,
        "the tail shows {events:?} and the recorder {recorded:?}"
    );
    Ok(())
}

/// The taint events of a flag.
fn of<'a>(events: &'a [Value], letter: &'a str) -> impl Iterator<Item = &'a Value> {
    events
        .iter()
        .filter(move |event| event["kind"] == "taint" && event["taint"]["letter"] == letter)
}

/// The only event of a flag with this confidence.
fn one<'a>(events: &'a [Value], letter: &'a str, confidence: &str) -> Result<&'a Value> {
    let mut found = of(events, letter).filter(|event| event["cause"]["confidence"] == confidence);
    let first = found
        .next()
        .with_context(|| format!("no {letter} is {confidence}"))?;
    ensure!(
        found.next().is_none(),
        "more than one {letter} is {confidence}"
    );
    Ok(first)
}

fn with_log(before: &Before, events: &[Value]) -> Result<()> {
    // The kernel took the table, and printed that; it does not taint by that, and no event may claim it.
    ensure!(
        of(events, "A").next().is_none(),
        "a table of the initial file system sets no flag: {events:?}"
    );
    for letter in ["O", "E"] {
        let event = one(events, letter, "logged")?;
        ensure!(event["module"]["name"] == before.first, "{letter}: {event}");
        ensure!(
            event["cause"]["class"] == "module_load",
            "{letter}: {event}"
        );
        let at = event["boottime_ns"].as_u64().context("no time")?;
        let began = events.iter().find(|event| event["kind"] == "coverage");
        let began = began.and_then(|event| event["boottime_ns"].as_u64());
        ensure!(
            Some(at) < began,
            "{letter} was before the monitoring: {event}"
        );
    }
    let written = one(events, "U", "unattributed")?;
    let summary = written["cause"]["summary"].as_str().unwrap_or_default();
    ensure!(summary.contains("prints nothing"), "U: {written}");
    ensure!(written.get("module").is_none(), "U has a module: {written}");
    if !before.modules {
        return Ok(());
    }
    let proprietary = one(events, "P", "logged")?;
    ensure!(
        proprietary["module"]["name"] == "tw_proprietary",
        "P: {proprietary}"
    );
    let warning = one(events, "W", "logged")?;
    ensure!(warning["module"]["name"] == "tw_warn_init", "W: {warning}");
    ensure!(warning["cause"]["class"] == "module_code", "W: {warning}");
    let log = warning["log"].to_string();
    ensure!(
        log.contains("WARNING: ") && log.contains("---[ end trace"),
        "W without its report: {warning}"
    );
    // Later ones are in no line of the log; one of them is still there.
    let test = of(events, "O").find(|event| event["module"]["name"] == "tw_test");
    let test = test.context("the second module that is there")?;
    ensure!(test["cause"]["confidence"] == "listed", "tw_test: {test}");
    Ok(())
}

fn nothing_twice(first: &[Value], second: &[Value]) -> Result<()> {
    let taints = |events: &[Value]| {
        events
            .iter()
            .filter(|event| event["kind"] == "taint")
            .count()
    };
    ensure!(
        taints(first) == taints(second),
        "{} taints became {}: {second:?}",
        taints(first),
        taints(second)
    );
    Ok(())
}

fn overwrite_log() -> Result<()> {
    let mut log = OpenOptions::new().write(true).open("/dev/kmsg")?;
    // A ratelimit would leave lines out (`kernel.printk_devkmsg`).
    File::create("/proc/sys/kernel/printk_devkmsg")?.write_all(b"on\n")?;
    for number in 0..NOISE {
        log.write_all(format!("<7>noise {number}").as_bytes())?;
    }
    Ok(())
}

fn without_log(before: &Before, events: &[Value]) -> Result<()> {
    for letter in ["O", "E"] {
        let event = of(events, letter).find(|event| event["module"]["name"] == before.first);
        let event = event.with_context(|| format!("{letter} of a module that is there"))?;
        ensure!(
            event["cause"]["confidence"] == "listed",
            "{letter}: {event}"
        );
    }
    let mut unknown = vec!["U"];
    if before.modules {
        unknown.push("W");
    }
    for letter in unknown {
        let event = one(events, letter, "unattributed")?;
        ensure!(event.get("module").is_none(), "{letter}: {event}");
        let summary = event["cause"]["summary"].as_str().unwrap_or_default();
        ensure!(
            summary.contains("overwritten") || summary.contains("prints nothing"),
            "{letter}: {event}"
        );
    }
    Ok(())
}
