//! What happens around modules: loads, failed loads, code that runs early and late, unloads; and the sysctl.

use std::{
    ffi::CString,
    fs::{self, File},
    thread::spawn,
};

use anyhow::{Result, anyhow, ensure};
use caps::{CapSet, Capability};
use nix::{
    errno::Errno,
    kmod::{DeleteModuleFlags, ModuleInitFlags, delete_module, finit_module},
};
use serde_json::Value;

use crate::history::History;

pub(crate) fn load_file(path: &str, parameters: &str) -> Result<(), Errno> {
    let file =
        File::open(path).map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
    let parameters = CString::new(parameters).map_err(|_nul| Errno::EINVAL)?;
    finit_module(&file, &parameters, ModuleInitFlags::empty())
}

pub(crate) fn load(name: &str, parameters: &str) -> Result<(), Errno> {
    load_file(&format!("/modules/{name}.ko"), parameters)
}

/// The event must blame this very process.
pub(crate) fn is_ours(event: &Value) -> Result<()> {
    ensure!(event["context"] == "task", "context: {event}");
    ensure!(event["task"]["pid"] == std::process::id(), "task: {event}");
    ensure!(event["task"]["comm"] == "scenarios", "comm: {event}");
    ensure!(event["task"]["exe"] == "/usr/bin/scenarios", "exe: {event}");
    Ok(())
}

pub(crate) fn caller_has(event: &Value, part: &str) -> Result<()> {
    let caller = event["caller"].as_str().unwrap_or_default();
    ensure!(
        caller.contains(part),
        "the caller {caller:?} has no {part:?}: {event}"
    );
    Ok(())
}

pub(crate) fn module_load(history: &mut History) -> Result<()> {
    load("tw_gpl", "")?;
    for letter in ["O", "E"] {
        let event = history.taint(letter, "module_load", Some("tw_gpl"))?;
        is_ours(&event)?;
        ensure!(event["module"]["loaded"] != false, "loaded: {event}");
    }
    let loaded = history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "tw_gpl".into()),
    ])?;
    ensure!(loaded["module"]["taints"] == "OE", "taints: {loaded}");
    is_ours(&loaded)
}

pub(crate) fn proprietary(history: &mut History) -> Result<()> {
    load("tw_proprietary", "")?;
    is_ours(&history.taint("P", "module_load", Some("tw_proprietary"))?)?;
    // Sticky, but recorded again: the kernel's log names the first module only.
    let again = history.taint("O", "module_load", Some("tw_proprietary"))?;
    ensure!(again["taint"]["first"] == false, "first: {again}");
    let loaded = history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "tw_proprietary".into()),
    ])?;
    ensure!(loaded["module"]["version"] == "1.2.3", "version: {loaded}");
    Ok(())
}

pub(crate) fn warn_in_init(history: &mut History) -> Result<()> {
    load("tw_warn_init", "")?;
    let event = history.taint("W", "module_code", Some("tw_warn_init"))?;
    is_ours(&event)?;
    caller_has(&event, "[tw_warn_init]")
}

pub(crate) fn warn_later(history: &mut History) -> Result<()> {
    load("tw_warn_later", "delay_ms=300")?;
    let event = history.taint("W", "module_code", Some("tw_warn_later"))?;
    caller_has(&event, "tw_warn_later_work+")?;
    ensure!(event["context"] == "task", "context: {event}");
    let comm = event["task"]["comm"].as_str().unwrap_or_default();
    ensure!(comm.starts_with("kworker"), "comm: {event}");
    ensure!(event["taint"]["first"] == false, "first: {event}");
    Ok(())
}

pub(crate) fn sysctl_write(history: &mut History) -> Result<()> {
    fs::write("/proc/sys/kernel/tainted", "64")?;
    let event = history.taint("U", "sysctl_write", None)?;
    is_ours(&event)?;
    caller_has(&event, "proc_taint+")?;
    ensure!(event["taint"]["bit"] == 6, "bit: {event}");
    let taints = history.complete()?;
    ensure!(
        taints
            .iter()
            .filter(|event| event["kind"] == "taint")
            .count()
            == 1,
        "recorded twice: {taints:?}"
    );
    Ok(())
}

pub(crate) fn fail_init(history: &mut History) -> Result<()> {
    ensure!(
        load("tw_fail_init", "") == Err(Errno::from_raw(57)),
        "it must fail with EBADSLT"
    );
    is_ours(&history.taint("O", "module_load", Some("tw_fail_init"))?)?;
    let failed = history.expect(&[
        ("/kind", "module_load_failed".into()),
        ("/module/name", "tw_fail_init".into()),
    ])?;
    ensure!(
        failed["module"]["errno"] == "EBADSLT" && failed["module"]["loaded"] == false,
        "errno: {failed}"
    );
    let unloads = history.complete()?;
    ensure!(
        unloads.iter().all(|event| event["kind"] != "module_unload"),
        "no unload happened: {unloads:?}"
    );
    is_ours(&failed)
}

pub(crate) fn unresolved(history: &mut History) -> Result<()> {
    ensure!(
        load("tw_unresolved", "") == Err(Errno::ENOENT),
        "it must fail with ENOENT"
    );
    is_ours(&history.taint("O", "module_load", Some("tw_unresolved"))?)?;
    let failed = history.expect(&[
        ("/kind", "module_load_failed".into()),
        ("/module/name", "tw_unresolved".into()),
    ])?;
    ensure!(failed["module"]["errno"] == "ENOENT", "errno: {failed}");
    is_ours(&failed)
}

pub(crate) fn unload(history: &mut History) -> Result<()> {
    delete_module(c"tw_gpl", DeleteModuleFlags::empty())?;
    let event = history.expect(&[
        ("/kind", "module_unload".into()),
        ("/module/name", "tw_gpl".into()),
    ])?;
    is_ours(&event)
}

/// The flag is set already: recorded all the same, with its bit, also where `add_taint` is inlined.
pub(crate) fn sysctl_again(history: &mut History) -> Result<()> {
    fs::write("/proc/sys/kernel/tainted", "64")?;
    let event = history.taint("U", "sysctl_write", None)?;
    is_ours(&event)?;
    ensure!(
        event["taint"]["first"] == false && event["taint"]["count"] == 1,
        "count: {event}"
    );
    let events = history.complete()?;
    ensure!(
        events
            .iter()
            .filter(|event| event["kind"] == "taint" || event["kind"] == "mask_write")
            .count()
            == 1,
        "recorded twice: {events:?}"
    );
    Ok(())
}

/// Root without the capability is refused by the kernel, and has set nothing.
pub(crate) fn sysctl_refused(history: &mut History) -> Result<()> {
    // A thread's capabilities are its own.
    let refused = spawn(|| -> Result<std::io::Result<()>> {
        caps::drop(None, CapSet::Effective, Capability::CAP_SYS_ADMIN)?;
        Ok(fs::write("/proc/sys/kernel/tainted", "64"))
    });
    let refused = refused
        .join()
        .map_err(|_panic| anyhow!("the thread panicked"))??;
    ensure!(refused.is_err(), "the kernel took it");
    // The next one is recorded: what came before it would be in the history, too.
    fs::write("/proc/sys/kernel/tainted", "64")?;
    is_ours(&history.taint("U", "sysctl_write", None)?)?;
    let events = history.complete()?;
    let recorded = events
        .iter()
        .filter(|event| event["taint"]["letter"] == "U");
    let recorded = recorded.filter_map(|event| event["taint"]["count"].as_u64());
    ensure!(
        recorded.sum::<u64>() == 1,
        "a refused write is recorded: {events:?}"
    );
    Ok(())
}

/// Module space is reused: what taints later is named, and not what lay there before.
pub(crate) fn after_unload(history: &mut History) -> Result<()> {
    for module in [c"tw_warn_init", c"tw_proprietary", c"tw_warn_later"] {
        delete_module(module, DeleteModuleFlags::empty())?;
    }
    load("tw_warn_later", "delay_ms=1")?;
    history.taint("W", "module_code", Some("tw_warn_later"))?;
    delete_module(c"tw_warn_later", DeleteModuleFlags::empty())?;
    load("tw_warn_init", "")?;
    let event = history.taint("W", "module_code", Some("tw_warn_init"))?;
    caller_has(&event, "[tw_warn_init]")?;
    let stack = event["stack"].to_string();
    ensure!(
        !stack.contains("tw_warn_later") && !stack.contains("tw_proprietary"),
        "stale: {event}"
    );
    Ok(())
}
