//! The floor: what the same work costs with an empty program on `add_taint` and one on the watchpoint.

use anyhow::Result;

use crate::{empty, work};

/// Counts the calls with both, then lets go of them.
pub(crate) fn run() -> Result<()> {
    let hook = empty::fentry("add_taint")?;
    let watch = empty::watchpoint("tainted_mask")?;
    work::calls("floor")?;
    drop(watch);
    drop(hook);
    Ok(())
}
