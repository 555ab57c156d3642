//! Somebody sets the wall clock while the recorder records.

use std::{fs, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use nix::{
    sys::time::TimeSpec,
    time::{ClockId, clock_gettime, clock_settime},
};
use serde_json::Value;

use crate::{history::History, loading::is_ours};

const HOUR: Duration = Duration::from_hours(1);

/// An hour back and forth again: events stay in the order in which they happened.
pub(crate) fn set(history: &mut History) -> Result<()> {
    let write = || fs::write("/proc/sys/kernel/tainted", "64");
    write()?;
    let first = history.taint("U", "sysctl_write", None)?;
    let before = clock_gettime(ClockId::CLOCK_REALTIME)?;
    clock_settime(ClockId::CLOCK_REALTIME, before - TimeSpec::from(HOUR))?;
    let written = write();
    let expected = history.expect(&[
        ("/kind", "taint".into()),
        ("/taint/letter", "U".into()),
        ("/seq", (seq(&first)? + 1).into()),
    ]);
    let now = clock_gettime(ClockId::CLOCK_REALTIME)?;
    clock_settime(ClockId::CLOCK_REALTIME, now + TimeSpec::from(HOUR))?;
    written?;
    let second = expected?;
    is_ours(&second)?;
    let at = |event: &Value| event["boottime_ns"].as_u64().context("no boottime");
    ensure!(at(&first)? < at(&second)?, "boottime: {first} {second}");
    let time = |event: &Value| event["time"].as_str().map(str::to_owned).context("no time");
    ensure!(
        time(&second)? < time(&first)?,
        "the clock was not set: {second}"
    );
    let report = Command::new("taintwatch")
        .args(["report", "--flag", "U"])
        .output()?;
    let report = String::from_utf8(report.stdout)?;
    let (one, two) = (report.find(&shown(&first)?), report.find(&shown(&second)?));
    ensure!(one.is_some() && one < two, "out of order: {report}");
    Ok(())
}

/// The time as a report shows it.
fn shown(event: &Value) -> Result<String> {
    let time = event["time"].as_str().context("no time")?;
    let clock = time.get(11..23).context("a short time")?;
    Ok(clock.to_owned())
}

fn seq(event: &Value) -> Result<u64> {
    event["seq"].as_u64().context("no seq")
}
