//! The cause of each flag that a guest can have: module, file, task, requester, code, context, log lines. And cases
//! that are made to mislead.

pub(crate) mod alone;
pub(crate) mod behalf;
pub(crate) mod clock;
pub(crate) mod flags;
pub(crate) mod identity;
pub(crate) mod imitated;
pub(crate) mod misleading;
pub(crate) mod reused;
pub(crate) mod signer;

use std::{ffi::CString, fs};

use anyhow::{Context as _, Result, ensure};
use nix::kmod::{DeleteModuleFlags, delete_module};
use serde_json::Value;

pub(crate) fn unload(name: &str) -> Result<()> {
    Ok(delete_module(
        &CString::new(name)?,
        DeleteModuleFlags::empty(),
    )?)
}

pub(crate) fn log_has(event: &Value, words: &[&str]) -> Result<()> {
    let log = event["log"].as_array().cloned().unwrap_or_default();
    let text: Vec<_> = log.iter().filter_map(Value::as_str).collect();
    for word in words {
        ensure!(
            text.iter().any(|line| line.contains(word)),
            "no {word:?} in the log of {event}"
        );
    }
    Ok(())
}

/// The kernel's version, its first two numbers.
pub(crate) fn release() -> Result<(u32, u32)> {
    let text = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let mut numbers = text.split(['.', '-']).map(str::parse);
    let mut next = || numbers.next().context("no number")?.context("not a number");
    Ok((next()?, next()?))
}
