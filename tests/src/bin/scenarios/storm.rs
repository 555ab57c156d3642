//! More than any ring can hold: details may be left out, counts may not.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{DB, history::History, loading::load, tamper::mask_address};

/// What the recorder may use, in KiB, and by how much the history may grow, in bytes: SQLite's log alone has 4 MB before
/// it is taken over. An event for each call would be hundreds of times that.
const MEMORY: u64 = 36 * 1024;
const GROWTH: u64 = 4 * 1024 * 1024;

/// Calls from two CPUs; meanwhile a module is loaded and the sysctl is written.
pub(crate) fn storm(history: &mut History) -> Result<()> {
    load("tw_storm", "")?;
    let calls = history.calls;
    let size = history_size()?;
    let started = std::thread::spawn(move || {
        fs::write("/sys/module/tw_storm/parameters/go", format!("{calls} 2 6"))
    });
    std::thread::sleep(std::time::Duration::from_secs(1));
    load("tw_gpl", "")?;
    fs::write("/proc/sys/kernel/tainted", "8")?;
    started.join().ok().context("the storm's thread ended")??;
    // Every other event is there in full.
    history.taint("O", "module_load", Some("tw_gpl"))?;
    history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "tw_gpl".into()),
    ])?;
    history.taint("R", "sysctl_write", None)?;
    let of_storm = |event: &Value| {
        event["taint"]["letter"] == "U"
            && event["module"]["name"] == "tw_storm"
            && event["cause"]["class"] == "module_code"
    };
    counted(history, of_storm, calls)?;
    let events = history.new_events()?;
    let in_full = events
        .iter()
        .filter(|event| of_storm(event) && event["taint"]["count"] == 1);
    ensure!(
        in_full.count() >= 8,
        "the first ones are recorded in full: {events:?}"
    );
    let grown = history_size()?.saturating_sub(size);
    ensure!(grown < GROWTH, "the history grew by {grown} bytes");
    let recorder = recorder()?;
    let (resident, most) = memory(recorder)?;
    ensure!(
        resident < MEMORY && most < MEMORY,
        "the recorder uses {resident} KiB, at most {most} KiB"
    );
    println!(
        "storm: {calls} calls; the history grew by {grown} bytes; the recorder uses {resident} KiB, at most {most} KiB"
    );
    delete("tw_storm")?;
    delete("tw_gpl")
}

/// Two thousand direct writes: each is one in a count as well.
pub(crate) fn direct(history: &mut History) -> Result<()> {
    const WRITES: u64 = 2_000;
    load("tw_mask", &format!("address={}", mask_address()?)).or_else(|errno| match errno {
        nix::errno::Errno::EEXIST => Ok(()),
        other => Err(other),
    })?;
    history.catch_up()?;
    for number in 0..WRITES {
        let op = if number % 2 == 0 {
            "set:17"
        } else {
            "clear:17"
        };
        fs::write("/sys/module/tw_mask/parameters/op", op)?;
    }
    let direct = |event: &Value| {
        event["kind"] == "mask_write"
            && event["cause"]["class"] == "direct_write"
            && event["module"]["name"] == "tw_mask"
    };
    counted(history, direct, WRITES)
}

/// Waits until the counts of the events that fit are as many as there were calls; never more.
pub(crate) fn counted(history: &History, fits: impl Fn(&Value) -> bool, calls: u64) -> Result<()> {
    let mut sum = 0;
    for _second in 0..30 {
        let events = history.new_events()?;
        let counts = events.iter().filter(|event| fits(event));
        sum = counts
            .filter_map(|event| event["taint"]["count"].as_u64())
            .sum();
        if sum >= calls {
            break;
        }
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    ensure!(
        sum >= calls,
        "{calls} calls, and the events stand for {sum}"
    );
    // And no more come.
    let events = history.complete()?;
    let counts = events.iter().filter(|event| fits(event));
    sum = counts
        .filter_map(|event| event["taint"]["count"].as_u64())
        .sum();
    ensure!(
        sum == calls,
        "{calls} calls, and the events stand for {sum}"
    );
    Ok(())
}

fn history_size() -> Result<u64> {
    let files = [DB.to_owned(), format!("{DB}-wal")];
    files
        .iter()
        .map(|file| Ok(fs::metadata(file).map_or(0, |meta| meta.len())))
        .sum()
}

pub(crate) fn recorder() -> Result<u32> {
    let is_recorder = |pid: &u32| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        words.starts_with(b"taintwatch\0") && words.windows(6).any(|word| word == b"daemon")
    };
    let pids =
        fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.into_iter()
        .find(is_recorder)
        .context("no recorder runs")
}

/// What is resident, and the most that ever was, in KiB.
fn memory(pid: u32) -> Result<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok())
            .context("no such field")
    };
    Ok((field("VmRSS:")?, field("VmHWM:")?))
}

pub(crate) fn delete(module: &str) -> Result<()> {
    let name = std::ffi::CString::new(module)?;
    Ok(nix::kmod::delete_module(
        &name,
        nix::kmod::DeleteModuleFlags::empty(),
    )?)
}
