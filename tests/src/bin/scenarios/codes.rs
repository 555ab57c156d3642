//! Exit codes of `status` and `check`, which scripts go by.
//!
//! In: a kernel that nothing has tainted yet. Out: nothing, or which code differs.

use std::{fs, process::Command};

use anyhow::{Result, ensure};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

const MASK: &str = "/proc/sys/kernel/tainted";

/// `status`: 0 untainted, 1 tainted, 2 cannot tell. The kernel is tainted after it.
pub(crate) fn status() -> Result<()> {
    let mask = fs::read_to_string(MASK)?;
    ensure!(mask.trim() == "0", "tainted at the boot: {mask}");
    let status = ["taintwatch", "status"];
    ends(&status, 0)?;
    unreadable(|| ends(&status, 2))?;
    fs::write(MASK, "64")?;
    ends(&status, 1)?;
    ends(&["taintwatch", "status", "--json"], 1)?;
    unreadable(|| ends(&status, 2))
}

/// `check`: 0 full coverage, 1 less, 2 an error.
pub(crate) fn check() -> Result<()> {
    ends(&["taintwatch", "check"], 0)?;
    ends(&["taintwatch", "check", "--json"], 0)?;
    ends(&["taintwatch", "check", "--without", "breakpoint"], 1)?;
    ends(&["constrain", "no-bpf", "taintwatch", "check"], 1)?;
    ends(&["taintwatch", "check", "--without", "nothing"], 2)
}

/// While the mask cannot be read.
fn unreadable(holds: impl FnOnce() -> Result<()>) -> Result<()> {
    let (none, empty) = (None::<&str>, "/tmp/empty");
    fs::write(empty, "")?;
    mount(Some(empty), MASK, none, MsFlags::MS_BIND, none)?;
    let held = holds();
    umount2(MASK, MntFlags::empty())?;
    held
}

fn ends(words: &[&str], code: i32) -> Result<()> {
    let (program, arguments) = words.split_first().map_or(("", words), |(p, a)| (*p, a));
    let output = Command::new(program).args(arguments).output()?;
    ensure!(
        output.status.code() == Some(code),
        "{words:?} is no exit {code} but {}: {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
