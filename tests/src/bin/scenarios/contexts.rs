//! Code that taints in each context in which kernel code runs, and on each CPU.

use std::fs;

use anyhow::{Result, ensure};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};

use crate::{
    history::History,
    loading::{caller_has, load},
};

pub(crate) fn contexts(history: &mut History) -> Result<()> {
    // Flags that nothing else here sets: each identifies its own event.
    for (bit, letter, context) in [
        (10, "C", "kthread"),
        (11, "I", "softirq"),
        (14, "L", "hardirq"),
        (15, "K", "nmi"),
        (19, "X", "task"),
    ] {
        let bit = if letter == "X" { 16 } else { bit };
        fs::write(
            "/sys/module/tw_taint/parameters/fire",
            format!("{bit} {context}"),
        )?;
        let event = history.taint(letter, "module_code", Some("tw_taint"))?;
        caller_has(&event, "[tw_taint]")?;
        let expected = if context == "kthread" {
            "task"
        } else {
            context
        };
        ensure!(event["context"] == expected, "{context}: {event}");
        let blamed = event.get("task").is_some();
        ensure!(
            blamed == (expected == "task"),
            "outside task context no task is named: {event}"
        );
        if context == "kthread" {
            ensure!(event["task"]["comm"] == "tw_kthread", "comm: {event}");
        }
    }
    Ok(())
}

/// A softirq that runs in the task which let softirqs run again, this very process: it is only the carrier, with
/// `PREEMPT_RT` as well.
pub(crate) fn softirq_in_task(history: &mut History) -> Result<()> {
    load("tw_softirq", "")?;
    history.catch_up()?;
    fs::write("/sys/module/tw_softirq/parameters/fire", "5")?;
    let event = history.taint("B", "module_code", Some("tw_softirq"))?;
    caller_has(&event, "tw_softirq_tasklet+")?;
    ensure!(event["context"] == "softirq", "context: {event}");
    ensure!(
        event.get("task").is_none(),
        "the carrier is blamed: {event}"
    );
    let summary = event["cause"]["summary"].as_str().unwrap_or_default();
    ensure!(!summary.contains("scenarios"), "blamed in words: {event}");
    crate::causes::unload("tw_softirq")
}

/// The same call from this very process, on one CPU after the other.
pub(crate) fn each_cpu(history: &mut History) -> Result<()> {
    load("tw_taint", "")?;
    let cpus = std::thread::available_parallelism()?.get();
    ensure!(cpus > 1, "the guest has one CPU");
    for (cpu, bit) in (0..cpus).zip([2, 3]) {
        let mut only = CpuSet::new();
        only.set(cpu)?;
        sched_setaffinity(Pid::from_raw(0), &only)?;
        fs::write(
            "/sys/module/tw_taint/parameters/fire",
            format!("{bit} task"),
        )?;
        let event = history.taint(
            if bit == 2 { "S" } else { "R" },
            "module_code",
            Some("tw_taint"),
        )?;
        ensure!(event["cpu"] == cpu, "cpu: {event}");
        crate::loading::is_ours(&event)?;
    }
    let mut all = CpuSet::new();
    for cpu in 0..cpus {
        all.set(cpu)?;
    }
    Ok(sched_setaffinity(Pid::from_raw(0), &all)?)
}
