//! What taintwatch says of it all at the end.

use std::{fs, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::history::History;

pub(crate) fn status(history: &mut History) -> Result<()> {
    fs::write("/proc/sys/kernel/tainted", "64")?;
    let output = Command::new("taintwatch")
        .args(["status", "--json"])
        .output()?;
    ensure!(
        output.status.code() == Some(1),
        "a tainted kernel is exit 1, not {}",
        output.status
    );
    let status: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(status["covered"] == true, "{status}");
    let flags = status["flags"].as_array().context("no flags")?;
    let set = flags
        .iter()
        .find(|flag| flag["letter"] == "U")
        .context("no U")?;
    ensure!(
        set["first"]["cause"]["class"].is_string() && set["confidence"] == "observed",
        "{status}"
    );
    ensure!(
        status["holes"][0]["reason"] == "before monitoring began",
        "{status}"
    );
    let report = Command::new("taintwatch").args(["report"]).output()?;
    let text = String::from_utf8(report.stdout)?;
    ensure!(
        text.contains("a write to /proc/sys/kernel/tainted") && text.contains("monitored since"),
        "{text}"
    );
    ensure!(
        history.all()?.iter().all(|event| event["kind"] != "lost"),
        "records were lost"
    );
    Ok(())
}

/// The history ends with the end of the monitoring, and its sequence has no gap.
pub(crate) fn ended(events: &[Value]) -> Result<()> {
    for (number, event) in (1..).zip(events) {
        ensure!(
            event["seq"] == number,
            "event {number} has another sequence: {event}"
        );
    }
    let last = events.last().context("the history is empty")?;
    ensure!(
        last["coverage"]["state"] == "ended",
        "the last event: {last}"
    );
    Ok(())
}
