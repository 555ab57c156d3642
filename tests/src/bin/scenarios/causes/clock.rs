//! The wall clock is set while the recorder records.

use std::{fs, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use nix::{
    sys::time::TimeSpec,
    time::{ClockId, clock_gettime, clock_settime},
};
use serde_json::Value;

use crate::{history::History, loading::is_ours};

const HOUR: Duration = Duration::from_hours(1);

/// An hour back and forth again: events stay in the order in which they happened. Two flags, since a report shows
/// repeats of one in a single entry.
pub(crate) fn set(history: &mut History) -> Result<()> {
    let write = |bit: u32| fs::write("/proc/sys/kernel/tainted", (1 << bit).to_string());
    write(14)?;
    let first = history.taint("L", "sysctl_write", None)?;
    let before = clock_gettime(ClockId::CLOCK_REALTIME)?;
    clock_settime(ClockId::CLOCK_REALTIME, before - TimeSpec::from(HOUR))?;
    let written = write(10);
    let second = history.taint("C", "sysctl_write", None);
    let now = clock_gettime(ClockId::CLOCK_REALTIME)?;
    clock_settime(ClockId::CLOCK_REALTIME, now + TimeSpec::from(HOUR))?;
    written?;
    let second = second?;
    is_ours(&second)?;
    let at = |event: &Value| event["boottime_ns"].as_u64().context("no boottime");
    ensure!(at(&first)? < at(&second)?, "boottime: {first} {second}");
    let time = |event: &Value| event["time"].as_str().map(str::to_owned).context("no time");
    ensure!(
        time(&second)? < time(&first)?,
        "the clock was not set: {second}"
    );
    let report = Command::new("taintwatch")
        .args(["report", "--flag", "L,C"])
        .output()?;
    let report = String::from_utf8(report.stdout)?;
    let (one, two) = (report.find(&shown(&first)?), report.find(&shown(&second)?));
    ensure!(one.is_some() && one < two, "out of order: {report}");
    ensure!(
        report.contains("set back by"),
        "the report does not show that the clock was set: {report}"
    );
    Ok(())
}

/// The time as a report shows it.
fn shown(event: &Value) -> Result<String> {
    let time = event["time"].as_str().context("no time")?;
    let clock = time.get(11..23).context("a short time")?;
    Ok(clock.to_owned())
}
