//! Stock modules whose signature was cut off and whose `.modinfo` was changed: they taint without a compiler.

use anyhow::{Result, ensure};
use nix::{
    errno::Errno,
    kmod::{DeleteModuleFlags, delete_module},
};

use crate::{
    history::History,
    loading::{is_ours, load_file},
};

pub(crate) fn unsigned(history: &mut History) -> Result<()> {
    load_file("/patched/dummy.ko", "numdummies=0")?;
    for letter in ["O", "E"] {
        let event = history.taint(letter, "module_load", Some("dummy"))?;
        ensure!(event["taint"]["first"] == true, "first: {event}");
        is_ours(&event)?;
    }
    let loaded = history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "dummy".into()),
    ])?;
    ensure!(loaded["module"]["taints"] == "OE", "taints: {loaded}");
    delete_module(c"dummy", DeleteModuleFlags::empty())?;
    history.expect(&[
        ("/kind", "module_unload".into()),
        ("/module/name", "dummy".into()),
    ])?;
    Ok(())
}

/// Not a GPL licence any more: the symbols that it needs are refused, after the flags were set.
pub(crate) fn fails(history: &mut History) -> Result<()> {
    ensure!(
        load_file("/patched/dummy_proprietary.ko", "") == Err(Errno::ENOENT),
        "it must fail with ENOENT"
    );
    is_ours(&history.taint("P", "module_load", Some("dummy"))?)?;
    let failed = history.expect(&[
        ("/kind", "module_load_failed".into()),
        ("/module/name", "dummy".into()),
    ])?;
    ensure!(failed["module"]["errno"] == "ENOENT", "errno: {failed}");
    is_ours(&failed)
}
