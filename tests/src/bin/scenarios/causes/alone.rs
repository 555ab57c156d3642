//! What the event of a flag says by itself, without the event at the end of the load.

use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::identity::sha256;
use crate::{history::History, loading::is_ours, loading::load_file};

const FILE: &str = "/patched/dummy_proprietary.ko";

fn summary(event: &Value) -> &str {
    event["cause"]["summary"].as_str().unwrap_or_default()
}

/// P says the licence, E that there is no signature; each which file it was. So does the socket, in the same words:
/// the history is held against it.
pub(crate) fn tells(history: &mut History) -> Result<()> {
    ensure!(load_file(FILE, "").is_err(), "its symbols are refused");
    let hash = sha256(FILE)?;
    for letter in ["O", "P", "E"] {
        let event = history.taint(letter, "module_load", Some("dummy"))?;
        is_ours(&event)?;
        let module = &event["module"];
        ensure!(module["license"] == "XPL", "licence: {event}");
        ensure!(module["signature"] == "none", "signature: {event}");
        ensure!(module["path"] == FILE, "path: {event}");
        ensure!(module["file_state"] == "as loaded", "state: {event}");
        ensure!(module["sha256"] == hash, "hash: {event}");
        let words = match letter {
            "P" => "; its licence is \"XPL\"",
            "E" => "; its file has no signature",
            _ => "",
        };
        ensure!(summary(&event).ends_with(words), "sentence: {event}");
        let again = module.get("attempt").is_some();
        ensure!(!again, "it was tried once: {event}");
    }
    Ok(())
}

/// busybox's `insmod` tries `init_module` when `finit_module` failed: each flag of the second load says so.
pub(crate) fn twice(history: &mut History) -> Result<()> {
    let status = Command::new("busybox").args(["insmod", FILE]).output()?;
    ensure!(!status.status.success(), "its symbols are refused");
    let again = history.expect(&[
        ("/kind", "module_load_failed".into()),
        ("/module/name", "dummy".into()),
        ("/module/attempt", 2.into()),
    ])?;
    ensure!(again["module"]["source"] == "memory", "source: {again}");
    let events = history.new_events()?;
    let of = |kind: &str, attempt: &Value| {
        let events = events.iter().filter(|event| event["kind"] == kind);
        events
            .filter(|event| event["module"]["attempt"] == *attempt)
            .count()
    };
    let once = (
        of("module_load_failed", &Value::Null),
        of("taint", &Value::Null),
    );
    let again = (of("module_load_failed", &2.into()), of("taint", &2.into()));
    ensure!(once == (1, 3) && again == (1, 3), "{once:?}, {again:?}");
    let words = |event: &&Value| summary(event).contains(", in its attempt 2");
    ensure!(
        events.iter().filter(words).count() == 3,
        "words: {events:?}"
    );
    Ok(())
}
