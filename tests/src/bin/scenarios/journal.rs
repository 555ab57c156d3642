//! The history, held against what the journal says of it.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::history::History;

/// Each event of the history is in the journal, field by field.
pub(crate) fn journal() -> Result<()> {
    let history = History::of(crate::DB).all()?;
    let output = Command::new("journalctl")
        .args(["-o", "json", "--all", "SYSLOG_IDENTIFIER=taintwatch"])
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let entries: Vec<Value> = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let fields = [
        ("TAINT_FLAG", "/taint/letter"),
        ("TAINT_NAME", "/taint/name"),
        ("TAINT_MODULE", "/module/name"),
        ("TAINT_MODULE_LICENSE", "/module/license"),
        ("TAINT_MODULE_SIGNATURE", "/module/signature"),
        ("TAINT_MODULE_SIGNER", "/module/signer"),
        ("TAINT_MODULE_FILE", "/module/path"),
        ("TAINT_MODULE_SHA256", "/module/sha256"),
        ("TAINT_MODULE_BUILD_ID", "/module/build_id"),
        ("TAINT_CAUSE", "/cause/class"),
        ("TAINT_CONFIDENCE", "/cause/confidence"),
        ("TAINT_MASK_BEFORE", "/taint/mask_before"),
        ("TAINT_MASK_AFTER", "/taint/mask_after"),
        ("OBJECT_PID", "/task/pid"),
    ];
    for event in &history {
        let entry = entries
            .iter()
            .find(|entry| entry["TAINTWATCH_EVENT_ID"] == event["id"]);
        let entry = entry.with_context(|| format!("not in the journal: {event}"))?;
        for (field, pointer) in fields {
            let expected = event
                .pointer(pointer)
                .map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
            let found = entry.get(field).and_then(Value::as_str).map(str::to_owned);
            ensure!(
                found == expected,
                "{field}: {found:?} and not {expected:?} for {event}"
            );
        }
        let id = entry["MESSAGE_ID"].as_str().unwrap_or_default();
        ensure!(
            id.len() == 32 && entry["PRIORITY"].is_string(),
            "no MESSAGE_ID or PRIORITY: {entry}"
        );
    }
    ensure!(history.len() > 20, "only {} events", history.len());
    comes_back(&history)?;
    println!("PASS journal: {} events, field by field", history.len());
    Ok(())
}

/// `report --journal` gives each event as the history has it.
fn comes_back(history: &[Value]) -> Result<()> {
    let folders = ["/var/log/journal", "/run/log/journal"];
    let folder = folders
        .into_iter()
        .find(|folder| Path::new(folder).exists());
    let folder = folder.context("there is no folder of the journal")?;
    let output = Command::new("taintwatch")
        .args(["report", "--json", "--journal", folder])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "report --journal: {said}");
    ensure!(
        !said.contains("left out") && !said.contains("understood"),
        "{said}"
    );
    let text = String::from_utf8(output.stdout)?;
    let events: Vec<Value> = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    for event in history {
        let found = events.iter().find(|found| found["id"] == event["id"]);
        ensure!(found == Some(event), "{found:?} and not {event}");
    }
    println!(
        "report --journal {folder}: {} events, each as the history has it",
        history.len()
    );
    Ok(())
}
