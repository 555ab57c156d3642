//! The watchpoint is on every CPU, and stays there while CPUs come and go.
//!
//! In: a module that writes the mask past the kernel's functions. Out: events with the CPU that wrote.

use std::{
    fs,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    errno::Errno,
    sched::{CpuSet, sched_setaffinity},
    time::{ClockId, clock_gettime},
    unistd::Pid,
};

use crate::{
    history::History,
    loading::load,
    storm::recorder,
    tamper::{direct_write, mask_address},
};

/// A bit that no scenario leaves set.
const BIT: u64 = 17;
/// The recorder reads the list of CPUs every second or every ten.
const FOLLOWS: Duration = Duration::from_mins(1);

/// Each CPU writes the mask directly, which nothing but its own watchpoint sees.
pub(crate) fn written_from_each(history: &mut History) -> Result<()> {
    writer()?;
    let cpus = online()?;
    ensure!(cpus.len() > 1, "the guest has one CPU");
    for cpu in cpus {
        written_from(history, cpu)?;
    }
    Ok(())
}

/// A CPU goes offline and comes back: its watchpoint does, too.
pub(crate) fn hotplug(history: &mut History) -> Result<()> {
    const CPU: usize = 1;
    writer()?;
    let events = perf_events()?;
    switch(CPU, "0")?;
    let gone = until(|| Ok(perf_events()? == events - 1));
    switch(CPU, "1")?;
    gone.context("the watchpoint of a CPU that is offline is still held")?;
    until(|| Ok(perf_events()? == events)).context("a CPU came online and is not watched")?;
    written_from(history, CPU)
}

/// It goes and comes back before the recorder has looked: the kernel took its watchpoint away, and nothing else shows it.
pub(crate) fn quick(history: &mut History) -> Result<()> {
    const CPU: usize = 1;
    writer()?;
    history.catch_up()?;
    let before = boottime_ns()?;
    switch(CPU, "0")?;
    let gone = boottime_ns()?;
    switch(CPU, "1")?;
    let back = boottime_ns()?;
    let event = history.expect(&[
        ("/kind", "coverage".into()),
        ("/coverage/state", "began".into()),
        ("/coverage/unwatched/cpus", serde_json::json!([CPU])),
    ])?;
    let unwatched = &event["coverage"]["unwatched"];
    let (from, to) = (unwatched["from_ns"].as_u64(), unwatched["to_ns"].as_u64());
    let (from, to) = (from.context("no from_ns")?, to.context("no to_ns")?);
    println!(
        "quick: off and on within {} ms; unwatched for {} ms, until {} ms after it was back",
        (back - before) / MILLISECOND,
        (to - from) / MILLISECOND,
        to.saturating_sub(back) / MILLISECOND
    );
    ensure!(
        before.saturating_sub(CLOCKS) <= from && from <= back && back.saturating_sub(gone) < SECOND,
        "offline from {before} to {gone}, back at {back}: {unwatched}"
    );
    ensure!(
        to > gone && to < back + AT_ONCE,
        "back at {back}: {unwatched}"
    );
    written_from(history, CPU)
}

/// The kernel counts a watchpoint's time by another clock.
const CLOCKS: u64 = 50 * MILLISECOND;
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1000 * MILLISECOND;
/// An emulated processor takes a while to prove its watchpoints.
const AT_ONCE: u64 = 3 * SECOND;

fn boottime_ns() -> Result<u64> {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
    Ok(u64::try_from(now.tv_sec())? * SECOND + u64::try_from(now.tv_nsec())?)
}

fn writer() -> Result<()> {
    load("tw_mask", &format!("address={}", mask_address()?)).or_else(|errno| match errno {
        Errno::EEXIST => Ok(()),
        other => Err(other.into()),
    })
}

fn written_from(history: &mut History, cpu: usize) -> Result<()> {
    on(&[cpu])?;
    let written = (|| {
        for (op, function) in [("set", "tw_mask_set+"), ("clear", "tw_mask_clear+")] {
            history.catch_up()?;
            let path = "/sys/module/tw_mask/parameters/op";
            fs::write(path, format!("{op}:{BIT}"))?;
            let event = direct_write(history, function)?;
            ensure!(event["cpu"] == cpu, "CPU {cpu} wrote: {event}");
            let bits = serde_json::json!([BIT]);
            let changed = &event["taint"][format!("bits_{op}").replace("clear", "cleared")];
            ensure!(*changed == bits, "{op} {BIT}: {event}");
        }
        Ok(())
    })();
    on(&online()?)?;
    written
}

/// This thread runs on these CPUs alone.
fn on(cpus: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(*cpu)?;
    }
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// `0-1`, or `0,2-3`.
fn online() -> Result<Vec<usize>> {
    let list = fs::read_to_string("/sys/devices/system/cpu/online")?;
    let mut found = Vec::new();
    for range in list.trim().split(',') {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        found.extend(from.parse::<usize>()?..=to.parse()?);
    }
    Ok(found)
}

pub(crate) fn switch(cpu: usize, to: &str) -> Result<()> {
    let path = format!("/sys/devices/system/cpu/cpu{cpu}/online");
    fs::write(&path, to).with_context(|| format!("{to} to {path}"))
}

/// How many the recorder holds: those of its watchpoints are among them.
fn perf_events() -> Result<usize> {
    let folder = format!("/proc/{}/fd", recorder()?);
    let is_event = |entry: std::io::Result<fs::DirEntry>| {
        let target = fs::read_link(entry.ok()?.path()).ok()?;
        (target.as_os_str() == "anon_inode:[perf_event]").then_some(())
    };
    Ok(fs::read_dir(folder)?.filter_map(is_event).count())
}

fn until(mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !holds()? {
        ensure!(began.elapsed() < FOLLOWS, "it did not come to it in time");
        sleep(Duration::from_millis(200));
    }
    Ok(())
}
