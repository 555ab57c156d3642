//! Cases in which a careless look-up names the innocent.

use std::{
    collections::HashMap, fs, os::unix::process::CommandExt as _, process::Command, thread::sleep,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, gettid},
};

use super::unload;
use crate::{
    history::History,
    loading::{is_ours, load},
};

/// The records are read late: one module after the other at the same place, and a task that is gone long since.
pub(crate) fn late(history: &mut History) -> Result<()> {
    let recorder = Pid::from_raw(i32::try_from(crate::storm::recorder()?)?);
    unload("tw_warn_init")?;
    kill(recorder, Signal::SIGSTOP)?;
    let done = (|| {
        load("tw_warn_init", "")?;
        unload("tw_warn_init")?;
        load("tw_warn_later", "delay_ms=1")?;
        sleep(Duration::from_millis(300));
        unload("tw_warn_later")?;
        let status = Command::new("sh")
            .args(["-c", "echo 64 > /proc/sys/kernel/tainted"])
            .uid(0)
            .status()?;
        ensure!(status.success(), "sh: {status}");
        Ok(())
    })();
    kill(recorder, Signal::SIGCONT)?;
    done?;
    let first = history.taint("W", "module_code", Some("tw_warn_init"))?;
    let second = history.taint("W", "module_code", Some("tw_warn_later"))?;
    ensure!(
        !second["stack"].to_string().contains("tw_warn_init"),
        "stale: {second}"
    );
    is_ours(&first)?;
    let gone = history.taint("U", "sysctl_write", None)?;
    ensure!(
        gone["task"]["cmdline"][1] == "-c",
        "arguments of a task that is gone: {gone}"
    );
    ensure!(
        gone["task"]["exe"] == "/bin/busybox",
        "its executable: {gone}"
    );
    ensure!(
        gone["task"]["ancestors"][0]["comm"] == "scenarios",
        "its parent: {gone}"
    );
    Ok(())
}

/// Two loads on two CPUs at once, again and again: each flag is of the module that its own thread loads.
pub(crate) fn at_once(history: &mut History) -> Result<()> {
    const ROUNDS: usize = 10;
    let threads: Vec<_> = ["tw_gpl", "tw_test"]
        .into_iter()
        .map(|name| {
            std::thread::spawn(move || -> Result<(&str, i32)> {
                for _ in 0..ROUNDS {
                    load(name, "")?;
                    unload(name)?;
                }
                Ok((name, gettid().as_raw()))
            })
        })
        .collect();
    // By the threads' own word.
    let mut loaders = HashMap::new();
    for thread in threads {
        let (name, tid) = thread.join().ok().context("a thread ended")??;
        loaders.insert(name, tid);
    }
    let events = history.complete()?;
    let of = |kind: &str| {
        events
            .iter()
            .filter(|event| event["kind"] == kind)
            .collect::<Vec<_>>()
    };
    ensure!(
        of("module_load").len() == 2 * ROUNDS,
        "{} loads",
        of("module_load").len()
    );
    let mut taints = 0;
    for event in of("taint").into_iter().chain(of("module_load")) {
        let name = event["module"]["name"].as_str().unwrap_or_default();
        let tid = loaders.get(name).context("another module")?;
        ensure!(
            event["task"]["tid"] == *tid,
            "another thread's module: {event}"
        );
        taints += usize::from(event["taint"]["letter"] == "O");
    }
    ensure!(taints == 2 * ROUNDS, "{taints} times O");
    Ok(())
}

/// Two processes that had the same number, one after the other, and the records are read late.
pub(crate) fn same_number(history: &mut History) -> Result<()> {
    let recorder = Pid::from_raw(i32::try_from(crate::storm::recorder()?)?);
    kill(recorder, Signal::SIGSTOP)?;
    let number = reused();
    kill(recorder, Signal::SIGCONT)?;
    let number = number?;
    for name in ["first", "second"] {
        let event = history.expect(&[
            ("/kind", "taint".into()),
            ("/taint/letter", "U".into()),
            ("/task/cmdline/3", name.into()),
        ])?;
        ensure!(event["task"]["pid"] == number, "number: {event}");
        ensure!(event["cause"]["class"] == "sysctl_write", "class: {event}");
    }
    Ok(())
}

/// Runs two writers with one number, and gives it.
fn reused() -> Result<u32> {
    let write = |name: &str| -> Result<u32> {
        let mut child = Command::new("sh")
            .args(["-c", "echo 64 > /proc/sys/kernel/tainted; :", name, name])
            .spawn()?;
        let number = child.id();
        ensure!(child.wait()?.success(), "the writer failed");
        Ok(number)
    };
    let number = write("first")?;
    fs::write("/proc/sys/kernel/ns_last_pid", (number - 1).to_string())?;
    let again = write("second")?;
    ensure!(again == number, "{number} came again as {again}");
    Ok(number)
}
