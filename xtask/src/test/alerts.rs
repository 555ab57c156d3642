//! The alerts and the dashboard in a real Prometheus.
//!
//! In: Debian's packages of Prometheus and Alertmanager, unpacked in the cache. Out: what `taintwatch/tests/alerts.rs` says.

use std::process::Command;

use anyhow::Result;

use crate::{apt, cache, run};

const PACKAGES: [&str; 3] = ["prometheus", "promtool", "prometheus-alertmanager"];

pub(super) fn run() -> Result<()> {
    let root = cache::once("prometheus-and-tools", |into| {
        apt::unpack(&PACKAGES.map(str::to_owned), into)
    })?;
    let mut tests = Command::new("cargo");
    tests
        .args([
            "test",
            "--quiet",
            "--locked",
            "--package",
            "taintwatch",
            "--test",
            "alerts",
        ])
        .env("TAINTWATCH_PROMETHEUS", root.join("usr/bin"))
        .current_dir(cache::checkout()?);
    run::quiet(&mut tests).map(drop)
}
