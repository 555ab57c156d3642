//! `cargo xtask docs`: writes anew what the documents have from the code.
//!
//! The test that finds a document out of date (`taintwatch/tests/docs`) also writes it, so the text has one source.

use std::process::Command;

use anyhow::Result;

use crate::{cache, run};

/// Writes `docs/event.schema.json` and the parts of documents between markers.
pub(crate) fn run() -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["test", "--quiet", "--locked"])
        .args(["--package", "taintwatch", "--test", "docs", "generated"])
        .current_dir(cache::checkout()?)
        .env("TAINTWATCH_DOCS", "write");
    run::quiet(&mut cargo).map(drop)
}
