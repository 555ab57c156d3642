//! Names that imitate others: the bytes of a module's name and of its symbols are its author's.
//!
//! In: test modules whose names are changed in the file. Out: the module that really acted, and never the one imitated.

use std::fs;

use anyhow::{Result, ensure};

use super::unload;
use crate::{
    history::History,
    loading::{caller_has, is_ours, load, load_file},
};

/// A symbol that ends like one of another module, with a newline in it; the next frames stay what they are.
pub(crate) fn symbol(history: &mut History) -> Result<()> {
    const SYMBOL: &str = "f [tw_gpl]\nxx";
    load("tw_gpl", "")?;
    let file = renamed("tw_taint", "tw_taint_fire", SYMBOL)?;
    load_file(&file, "")?;
    history.catch_up()?;
    fs::write("/sys/module/tw_taint/parameters/fire", "6 task")?;
    let event = history.taint("U", "module_code", Some("tw_taint"))?;
    is_ours(&event)?;
    caller_has(&event, " [tw_taint]")?;
    let above = event["stack"][1].as_str().unwrap_or_default();
    ensure!(
        above.starts_with("tw_taint_set+") && above.ends_with(" [tw_taint]"),
        "the next frame: {event}"
    );
    unload("tw_taint")?;
    unload("tw_gpl")
}

/// A module whose name ends like that of another, which is loaded and did nothing.
pub(crate) fn module(history: &mut History) -> Result<()> {
    const NAME: &str = "x] [tw_storm";
    load("tw_storm", "")?;
    history.catch_up()?;
    let file = renamed("tw_warn_init", "tw_warn_init", NAME)?;
    load_file(&file, "")?;
    let event = history.taint("W", "module_code", Some(NAME))?;
    is_ours(&event)?;
    caller_has(&event, &format!(" [{NAME}]"))?;
    unload(NAME)?;
    unload("tw_storm")
}

/// A copy of a test module with a text replaced by another of the same length.
fn renamed(module: &str, from: &str, to: &str) -> Result<String> {
    ensure!(from.len() == to.len(), "{from} and {to:?} differ in length");
    let mut bytes = fs::read(format!("/modules/{module}.ko"))?;
    let mut found = 0;
    for at in 0..bytes.len().saturating_sub(from.len()) {
        if let Some(slot) = bytes.get_mut(at..at + from.len())
            && slot == from.as_bytes()
        {
            slot.copy_from_slice(to.as_bytes());
            found += 1;
        }
    }
    ensure!(found > 0, "{module} has no {from}");
    without_types(&mut bytes);
    let path = format!("/tmp/{module}_renamed.ko");
    fs::write(&path, bytes)?;
    Ok(path)
}

/// Hides the module's types, by the name of their section: newer kernels refuse types with names that C could not have.
fn without_types(bytes: &mut [u8]) {
    const SECTION: &[u8] = b".BTF\0";
    for at in 0..bytes.len().saturating_sub(SECTION.len()) {
        if let Some(slot) = bytes.get_mut(at..at + SECTION.len())
            && slot == SECTION
        {
            slot.copy_from_slice(b".BTX\0");
        }
    }
}

/// The same for other scenarios.
pub(crate) fn with_name(module: &str, name: &str) -> Result<String> {
    renamed(module, module, name)
}
