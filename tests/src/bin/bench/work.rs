//! What is counted: calls of `add_taint`, writes of the sysctl, loads of a module.

use std::{
    ffi::CString,
    fs::{self, File},
};

use anyhow::{Context as _, Result};
use nix::kmod::{DeleteModuleFlags, ModuleInitFlags, delete_module, finit_module};

use crate::{clock, count};

/// Calls of `add_taint` that are counted together.
const CALLS: u64 = 2_000;
/// `TAINT_USER`.
pub(crate) const FLAG: u32 = 6;
const SYSCTL: &str = "/proc/sys/kernel/tainted";

/// Loads a test module.
pub(crate) fn load(name: &str) -> Result<()> {
    let file = File::open(format!("/modules/{name}.ko"))?;
    Ok(finit_module(
        &file,
        &CString::default(),
        ModuleInitFlags::empty(),
    )?)
}

pub(crate) fn unload(name: &str) -> Result<()> {
    let name = CString::new(name)?;
    Ok(delete_module(&name, DeleteModuleFlags::empty())?)
}

/// So many calls out of a kernel thread, one after the other.
pub(crate) fn storm(calls: u64, flag: u32) -> Result<()> {
    let go = "/sys/module/tw_storm/parameters/go";
    fs::write(go, format!("{calls} 1 {flag}")).with_context(|| format!("write {go}"))
}

/// Counts a call of `add_taint`, of a flag that is set already.
pub(crate) fn calls(who: &str) -> Result<()> {
    storm(CALLS, FLAG)?;
    let none = clock::least(|| storm(0, FLAG))?;
    let many = clock::least(|| storm(CALLS, FLAG))?;
    count(&format!("{who}.call"), many.saturating_sub(none) / CALLS);
    Ok(())
}

/// Counts a write of the sysctl, and a load and an unload of a module.
pub(crate) fn others(who: &str) -> Result<()> {
    let write = || Ok(fs::write(SYSCTL, "64")?);
    write()?;
    count(&format!("{who}.sysctl"), clock::least(write)?);
    // An unload waits for others to let go; the first load costs a record or two more.
    let mut least = u64::MAX;
    for _ in 0..3 {
        let took = clock::once(|| load("tw_gpl"))?;
        unload("tw_gpl")?;
        least = least.min(took);
    }
    count(&format!("{who}.module"), least);
    Ok(())
}
