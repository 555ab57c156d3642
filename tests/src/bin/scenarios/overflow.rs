//! More records than the ring holds: what is lost is said, and counts stay exact.
//!
//! In: a recorder that is stopped while modules come and go. Out: its events, which must stand for each of them.

use anyhow::{Result, ensure};
use nix::{
    kmod::{DeleteModuleFlags, delete_module},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::{history::History, loading::load_file, storm::recorder};

/// The records of a load and an unload are 5 KB and more, the ring has 1 MiB.
const LOADS: u64 = 260;

pub(crate) fn full_ring(history: &mut History) -> Result<()> {
    stopped(|| {
        for _ in 0..LOADS {
            load_file("/patched/dummy.ko", "numdummies=0")?;
            delete_module(c"dummy", DeleteModuleFlags::empty())?;
        }
        Ok(())
    })?;
    // Only then there is room for a mark.
    history.settled()?;
    let events = history.complete()?;
    let lost = |what: &str| -> u64 {
        let of_kind = events.iter().filter(|event| event["lost"]["what"] == what);
        of_kind
            .filter_map(|event| event["lost"]["count"].as_u64())
            .sum()
    };
    ensure!(
        lost("module_load") > 0 && lost("module_unload") > 0 && lost("detail") > 0,
        "the ring was never full: {}",
        events.len()
    );
    for letter in ["O", "E"] {
        let stood_for = stood_for(&events, letter);
        ensure!(
            stood_for == LOADS,
            "{LOADS} times {letter}, and events stand for {stood_for}"
        );
    }
    for kind in ["module_load", "module_unload"] {
        let recorded = events.iter().filter(|event| event["kind"] == kind);
        let recorded = u64::try_from(recorded.count())?;
        ensure!(
            recorded + lost(kind) == LOADS,
            "{LOADS} of {kind}: {recorded} are recorded and {} are said to be lost",
            lost(kind)
        );
    }
    Ok(())
}

/// While the recorder takes nothing out of the ring.
fn stopped(done: impl FnOnce() -> Result<()>) -> Result<()> {
    let recorder = Pid::from_raw(i32::try_from(recorder()?)?);
    kill(recorder, Signal::SIGSTOP)?;
    let done = done();
    kill(recorder, Signal::SIGCONT)?;
    done
}

/// Occurrences of a flag.
fn stood_for(events: &[Value], letter: &str) -> u64 {
    let of_flag = events
        .iter()
        .filter(|event| event["kind"] == "taint" && event["taint"]["letter"] == letter);
    of_flag
        .filter_map(|event| event["taint"]["count"].as_u64())
        .sum()
}
