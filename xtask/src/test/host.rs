//! What needs no guest: formatting, lints, unit and property tests, snapshots, a browser.
//!
//! In: the checkout. Out: results, and how long each took.

use std::{process::Command, time::Instant};

use anyhow::Result;

use super::{alerts, browser, matrix::Matrix, times::Times};
use crate::{cache, fleet, run};

/// Lines of failed tests that are worth showing.
const OF_TESTS: usize = 200;

/// How much is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Host {
    /// Formatting and tests: what a change of texts can break.
    Tests,
    /// Lints as well.
    Lints,
    /// The questions of docs/fleet as well.
    Fleet,
    /// Everything.
    Browser,
    BrowserAlone,
}

type Check = (&'static str, Host, fn() -> Result<()>);

const CHECKS: [Check; 9] = [
    ("formatting", Host::Tests, formatting),
    ("clippy", Host::Lints, clippy),
    ("clippy of the eBPF programs", Host::Lints, ebpf_clippy),
    ("unit, property and snapshot tests", Host::Tests, tests),
    ("documentation of the code", Host::Lints, rustdoc),
    ("the fuzzers build", Host::Lints, fuzzers),
    (
        "the questions about many machines",
        Host::Fleet,
        fleet::small,
    ),
    (
        "alerts and dashboard in Prometheus",
        Host::Fleet,
        alerts::run,
    ),
    ("the HTML report in a browser", Host::Browser, browser::run),
];

/// One check after the other, since cargo's runs wait for each other.
pub(super) fn run(asked: Host, matrix: &mut Matrix, times: &mut Times) {
    let is_asked = |needs: Host| {
        if asked == Host::BrowserAlone {
            needs == Host::Browser
        } else {
            needs <= asked
        }
    };
    for (name, _, check) in CHECKS.iter().filter(|(_, needs, _)| is_asked(*needs)) {
        let began = Instant::now();
        matrix.check(name, check());
        times.add(name, began.elapsed(), 0);
    }
}

fn cargo(arguments: &[&str]) -> Result<Command> {
    let mut cargo = Command::new("cargo");
    cargo.args(arguments).current_dir(cache::checkout()?);
    Ok(cargo)
}

const FUZZERS: &str = "tests/fuzz/Cargo.toml";

fn formatting() -> Result<()> {
    run::quiet(&mut cargo(&["fmt", "--all", "--check"])?)?;
    let mut fuzzers = cargo(&["fmt", "--manifest-path", FUZZERS, "--check"])?;
    run::quiet(&mut fuzzers).map(drop)
}

fn clippy() -> Result<()> {
    let mut clippy = cargo(&["clippy", "--quiet", "--locked", "--all-targets"])?;
    run::quiet(clippy.args(["--", "-D", "warnings"])).map(drop)
}

fn tests() -> Result<()> {
    let mut tests = cargo(&["test", "--quiet", "--locked"])?;
    run::quiet_with_last(&mut tests, OF_TESTS).map(drop)
}

/// A workspace of their own. Here without instrumentation, which only a run needs.
fn fuzzers() -> Result<()> {
    let mut build = cargo(&["build", "--quiet", "--locked", "--manifest-path", FUZZERS])?;
    run::quiet(build.args(["--target-dir", "target/fuzz"])).map(drop)
}

/// Links and code in doc comments, private items too.
fn rustdoc() -> Result<()> {
    let mut doc = cargo(&["doc", "--quiet", "--locked", "--workspace"])?;
    doc.args(["--exclude", "taintwatch-ebpf"]);
    doc.args(["--no-deps", "--document-private-items"]);
    run::quiet(doc.env("RUSTDOCFLAGS", "-D warnings")).map(drop)
}

/// They are linted for their own target, with the core library that they are built with.
fn ebpf_clippy() -> Result<()> {
    let mut cargo = cargo(&["clippy", "--quiet", "--locked"])?;
    let library = cache::dir()?.join("rust-src/library");
    if library.is_dir() {
        cargo.env("__CARGO_TESTS_ONLY_SRC_ROOT", library);
    }
    cargo
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "--cfg bpf_target_arch=\"x86_64\"");
    cargo.args(["--package", "taintwatch-ebpf"]);
    cargo.args(["--target", "bpfel-unknown-none", "-Zbuild-std=core"]);
    cargo.args(["--target-dir", "target/bpf", "--", "-D", "warnings"]);
    run::quiet(&mut cargo).map(drop)
}
