//! What needs no guest: formatting, lints on both halves, unit and property tests, snapshots, a browser.

use std::process::Command;

use anyhow::Result;

use super::{browser, matrix::Matrix};
use crate::{cache, run};

pub(super) fn run(matrix: &mut Matrix) -> Result<()> {
    let checkout = cache::checkout()?;
    let cargo = |arguments: &[&str]| {
        let mut cargo = Command::new("cargo");
        cargo.args(arguments).current_dir(&checkout);
        cargo
    };
    matrix.check(
        "formatting",
        run::quiet(&mut cargo(&["fmt", "--all", "--check"])).map(drop),
    );
    let clippy = [
        "clippy",
        "--quiet",
        "--locked",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    matrix.check("clippy", run::quiet(&mut cargo(&clippy)).map(drop));
    matrix.check(
        "clippy of the kernel half",
        kernel_half_clippy(&mut cargo(&[])),
    );
    let tests = run::shown(&mut cargo(&["test", "--quiet", "--locked"]));
    matrix.check("unit, property and snapshot tests", tests);
    in_a_browser(matrix);
    Ok(())
}

pub(super) fn in_a_browser(matrix: &mut Matrix) {
    matrix.check("the HTML report in a browser", browser::run());
}

/// The kernel half is linted for its own target, with the core library that it is built with.
fn kernel_half_clippy(cargo: &mut Command) -> Result<()> {
    let library = cache::dir()?.join("rust-src/library");
    if library.is_dir() {
        cargo.env("__CARGO_TESTS_ONLY_SRC_ROOT", library);
    }
    cargo
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "--cfg bpf_target_arch=\"x86_64\"");
    cargo.args([
        "clippy",
        "--quiet",
        "--locked",
        "--package",
        "taintwatch-ebpf",
        "--target",
        "bpfel-unknown-none",
    ]);
    cargo.args([
        "-Zbuild-std=core",
        "--target-dir",
        "target/bpf",
        "--",
        "-D",
        "warnings",
    ]);
    run::quiet(cargo).map(drop)
}
