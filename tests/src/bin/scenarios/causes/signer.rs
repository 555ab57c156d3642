//! Whose key signed a module: of one that the kernel does not know, which taints as an unsigned one does.

use anyhow::{Result, ensure};

use super::unload;
use crate::{
    history::History,
    loading::{is_ours, load_file},
};

/// The subject of the key that the host made for it.
const SIGNER: &str = "CN=taintwatch test key";

pub(crate) fn signer(history: &mut History) -> Result<()> {
    load_file("/patched/dummy_signed.ko", "numdummies=0")?;
    is_ours(&history.taint("E", "module_load", Some("dummy"))?)?;
    let event = history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "dummy".into()),
    ])?;
    let module = &event["module"];
    ensure!(module["signature"] == "appended", "signature: {event}");
    ensure!(module["signer"] == SIGNER, "signer: {event}");
    unload("dummy")?;
    history.catch_up()?;
    // The same module without its signature.
    load_file("/patched/dummy.ko", "numdummies=0")?;
    let event = history.expect(&[
        ("/kind", "module_load".into()),
        ("/module/name", "dummy".into()),
    ])?;
    let module = &event["module"];
    ensure!(
        module["signature"] == "none" && module.get("signer").is_none(),
        "a signer of nothing: {event}"
    );
    unload("dummy")
}
