//! Code that writes beside the mask, and traps that prove no write of it.

use std::{fs, thread::sleep, time::Duration};

use anyhow::{Context as _, Result, ensure};
use nix::errno::Errno;
use serde_json::Value;

use crate::{
    DB,
    daemon::said_of,
    history::History,
    loading::load,
    tamper::{direct_write, mask_address},
};

/// Stores all over the mask's page, and stores that the watchpoint is moved to.
const STORES: u64 = 1_000_000;
const TRAPS: u64 = 1_000;
/// A bit that no scenario leaves set, and the next.
const UNPROVEN: u64 = 17;
const PROVEN: u64 = 18;

pub(crate) fn beside(history: &mut History) -> Result<()> {
    let address = format!("address={}", mask_address()?);
    load("tw_beside", &address)?;
    load("tw_mask", &address).or_else(|errno| match errno {
        Errno::EEXIST => Ok(()),
        other => Err(other),
    })?;
    history.settled()?;
    history.catch_up()?;
    op("tw_beside", &format!("write:{STORES}"))?;
    let before = spurious()?;
    op("tw_beside", &format!("trap:{TRAPS}"))?;
    let counted = counted(before + TRAPS)?;
    ensure!(
        counted >= before + TRAPS,
        "{TRAPS} traps beside the mask, and {} are counted",
        counted - before
    );
    let events = history.complete()?;
    ensure!(
        events.is_empty(),
        "nothing happened, and events report it: {events:?}"
    );
    changed(history)?;
    history.catch_up()?;
    op("tw_mask", &format!("set:{PROVEN}"))?;
    let event = direct_write(history, "tw_mask_set+")?;
    ensure!(
        event["taint"]["bits_set"] == serde_json::json!([PROVEN]),
        "another's bit is reported: {event}"
    );
    op("tw_mask", &format!("clear:{UNPROVEN}"))?;
    op("tw_mask", &format!("clear:{PROVEN}"))
}

/// The mask is seen to have changed, and no code is named that is not proven to have done it.
fn changed(history: &History) -> Result<()> {
    let mask: u64 = fs::read_to_string("/proc/sys/kernel/tainted")?
        .trim()
        .parse()?;
    op("tw_beside", &format!("fs:{:x}", mask | 1 << UNPROVEN))?;
    let event = history.expect(&[
        ("/kind", "taint".into()),
        ("/taint/bit", UNPROVEN.into()),
        ("/cause/confidence", "unattributed".into()),
    ])?;
    ensure!(
        event.get("caller").is_none() && event.get("module").is_none(),
        "code is named: {event}"
    );
    let events = history.complete()?;
    let reports = |event: &&Value| event["kind"] == "taint" || event["kind"] == "mask_write";
    ensure!(
        events.iter().filter(reports).count() == 1,
        "reported twice: {events:?}"
    );
    Ok(())
}

fn op(module: &str, words: &str) -> Result<()> {
    let path = format!("/sys/module/{module}/parameters/op");
    fs::write(&path, words).with_context(|| format!("{words} to {path}"))
}

/// Waits until the recorder has counted so many.
fn counted(wanted: u64) -> Result<u64> {
    for _second in 0..20 {
        if spurious()? >= wanted {
            break;
        }
        sleep(Duration::from_secs(1));
    }
    spurious()
}

/// Traps that were no writes of the mask, by the recorder's own log.
fn spurious() -> Result<u64> {
    let said = fs::read_to_string(said_of(DB))?;
    let last = said
        .lines()
        .rev()
        .find_map(|line| line.strip_suffix(" in all")?.rsplit(' ').next());
    Ok(last.map_or(Ok(0), str::parse)?)
}
