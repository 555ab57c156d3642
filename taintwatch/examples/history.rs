//! Makes a history from JSON lines on standard input: events as `report --json` prints them, and heartbeats.
//!
//! A heartbeat is `{"heartbeat": BOOT_ID, "time": …, "boottime_ns": …}`.
//!
//! `cargo run --example history -- events.db <three-boots.jsonl`

use std::{io::BufRead as _, path::Path};

use anyhow::{Context as _, Result};
use taintwatch::{event::Event, store::Store};

fn main() -> Result<()> {
    let db = std::env::args()
        .nth(1)
        .context("give the file of the history to make")?;
    let mut store = Store::create(Path::new(&db))?;
    for line in std::io::stdin().lock().lines() {
        let value: serde_json::Value = serde_json::from_str(&line?)?;
        let Some(boot) = value.get("heartbeat") else {
            store.append(&mut serde_json::from_value::<Event>(value)?)?;
            continue;
        };
        let time = value.get("time").cloned().unwrap_or_default();
        let boottime = value.get("boottime_ns").and_then(serde_json::Value::as_u64);
        let boot = boot.as_str().context("heartbeat: the id of a boot")?;
        store.heartbeat(boot, serde_json::from_value(time)?, boottime.unwrap_or(0))?;
    }
    Ok(())
}
