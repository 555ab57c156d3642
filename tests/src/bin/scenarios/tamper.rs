//! Code that writes the mask past the kernel's functions, hides, or takes a hook away.

use std::{fs, process::Command};

use anyhow::{Context as _, Result, ensure};
use nix::kmod::{DeleteModuleFlags, delete_module};
use serde_json::Value;

use crate::{
    Lacks,
    daemon::Daemon,
    history::History,
    loading::{caller_has, is_ours, load, load_file},
};

pub(crate) fn mask_address() -> Result<String> {
    let symbols = fs::read_to_string("/proc/kallsyms")?;
    let line = symbols
        .lines()
        .find(|line| line.ends_with(" tainted_mask"))
        .context("no tainted_mask")?;
    Ok(format!("0x{}", line.split(' ').next().unwrap_or_default()))
}

pub(crate) fn direct_write(history: &History, function: &str) -> Result<Value> {
    let event = history.expect(&[
        ("/kind", "mask_write".into()),
        ("/cause/class", "direct_write".into()),
        ("/cause/confidence", "observed".into()),
        ("/module/name", "tw_mask".into()),
    ])?;
    is_ours(&event)?;
    caller_has(&event, function)?;
    ensure!(
        event["taint"].get("letter").is_none(),
        "no letter is claimed: {event}"
    );
    Ok(event)
}

pub(crate) fn direct_set(history: &mut History) -> Result<()> {
    load("tw_mask", &format!("address={} op=set:18", mask_address()?))?;
    let event = direct_write(history, "tw_mask_set+")?;
    ensure!(
        event["taint"]["bits_set"] == serde_json::json!([18]),
        "bits: {event}"
    );
    ensure!(
        event["taint"]["bits_cleared"] == serde_json::json!([]),
        "bits: {event}"
    );
    Ok(())
}

pub(crate) fn direct_clear(history: &mut History) -> Result<()> {
    let before: u64 = fs::read_to_string("/proc/sys/kernel/tainted")?
        .trim()
        .parse()?;
    fs::write("/sys/module/tw_mask/parameters/op", "zero")?;
    let event = direct_write(history, "tw_mask_store+")?;
    let bits: Vec<_> = (0..64).filter(|bit| before >> bit & 1 == 1).collect();
    ensure!(
        event["taint"]["bits_cleared"] == serde_json::json!(bits),
        "bits: {event}"
    );
    ensure!(event["taint"]["mask_after"] == "0x0", "mask: {event}");
    let status = Command::new("taintwatch").args(["status"]).output()?;
    let text = String::from_utf8(status.stdout)?;
    ensure!(text.contains("tampered with"), "status hides it: {text}");
    ensure!(
        status.status.code() == Some(1),
        "the kernel says 0, and the history knows better: {}",
        status.status
    );
    Ok(())
}

/// It took itself off the list before it tainted.
pub(crate) fn hidden(history: &mut History) -> Result<()> {
    load("tw_hidden", "")?;
    let event = history.expect(&[
        ("/kind", "taint".into()),
        ("/taint/letter", "I".into()),
        ("/module/name", "tw_hidden".into()),
    ])?;
    ensure!(
        event["module"]["hidden"] == true,
        "not reported as hidden: {event}"
    );
    ensure!(
        event["context"] == "softirq" && event.get("task").is_none(),
        "context: {event}"
    );
    Ok(())
}

/// A recorder is killed: the next one, which is given back, records the unclean end and the gap.
pub(crate) fn killed(mut first: Daemon, db: &str) -> Result<Daemon> {
    let mut history = History::of(db);
    history.catch_up()?;
    first.kill()?;
    let second = Daemon::start(&[], &[], db)?;
    let ended = history.expect(&[
        ("/kind", "coverage".into()),
        ("/coverage/state", "ended".into()),
    ])?;
    ensure!(
        ended["coverage"]["reason"]
            .to_string()
            .contains("ended uncleanly"),
        "reason: {ended}"
    );
    let output = Command::new("taintwatch")
        .args(["--db", db, "status", "--json"])
        .output()?;
    let status: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(
        status["intervals"]
            .as_array()
            .is_some_and(|all| all.len() == 2)
            && status["covered"] == true,
        "intervals: {status}"
    );
    let gaps = status["holes"].to_string();
    ensure!(
        gaps.contains("ended uncleanly") && gaps.contains("before monitoring began"),
        "gaps: {status}"
    );
    Ok(second)
}

/// Kprobes are switched off behind the recorder's back: the watchpoint sees a call that the hook did not.
pub(crate) fn unhooked(db: &str) -> Result<()> {
    let switch = "/sys/kernel/debug/kprobes/enabled";
    let mut history = History::of(db);
    until_compared();
    history.catch_up()?;
    fs::write(switch, "0")?;
    let seen = noticed(&history, "taint_entry: it does not fire");
    fs::write(switch, "1")?;
    seen
}

/// The debug registers are cleared behind the recorder's back: a hook announces a write that no watchpoint sees.
pub(crate) fn blinded(mut daemon: Daemon, db: &str) -> Result<()> {
    let mut history = History::of(db);
    history.catch_up()?;
    load("tw_blind", "")?;
    history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "tw_blind".into()),
    ])?;
    until_compared();
    noticed(&history, "mask_watch: the watchpoint on CPU")?;
    // Armed again, it sees what no hook on a function can.
    history.expect(&[("/coverage/reason", "the mask watch was armed again".into())])?;
    load("tw_mask", &format!("address={} op=set:17", mask_address()?))?;
    direct_write(&history, "tw_mask_set+")?;
    delete_module(c"tw_mask", DeleteModuleFlags::empty())?;
    delete_module(c"tw_blind", DeleteModuleFlags::empty())?;
    daemon.stop()
}

/// The layers are compared when all is quiet: what both saw before must not stand in for what one misses now.
fn until_compared() {
    std::thread::sleep(std::time::Duration::from_secs(4));
}

/// Taints, and waits until a layer is said to be silent.
fn noticed(history: &History, says: &str) -> Result<()> {
    load_file("/patched/dummy.ko", "numdummies=0")?;
    delete_module(c"dummy", DeleteModuleFlags::empty())?;
    let degraded = history.expect(&[("/coverage/state", "degraded".into())])?;
    ensure!(
        degraded["coverage"]["reason"].to_string().contains(says),
        "reason: {degraded}"
    );
    Ok(())
}

/// With ftrace off, hooks on functions can be attached and never fire: reported at the start. Newer kernels do not let
/// it be switched off.
pub(crate) fn ftrace_off() -> Result<()> {
    let switch = "/proc/sys/kernel/ftrace_enabled";
    if let Err(error) = fs::write(switch, "0") {
        ensure!(
            error.raw_os_error() == Some(libc::EOPNOTSUPP),
            "{switch}: {error}"
        );
        return Err(Lacks("this kernel does not let ftrace be switched off").into());
    }
    let reported = silent_at_start();
    fs::write(switch, "1")?;
    reported
}

fn silent_at_start() -> Result<()> {
    let db = "/tmp/ftrace.db";
    let mut daemon = Daemon::start(&[], &[], db)?;
    let mut history = History::of(db);
    let began = history.expect(&[("/coverage/state", "degraded".into())])?;
    ensure!(
        began["coverage"]["reason"]
            .to_string()
            .contains("ftrace_enabled"),
        "reason: {began}"
    );
    history.catch_up()?;
    // The watchpoint alone gives the flag, the code and the task.
    fs::write("/proc/sys/kernel/tainted", "64")?;
    let event = history.taint("U", "sysctl_write", None)?;
    is_ours(&event)?;
    daemon.stop()
}
