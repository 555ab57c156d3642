//! `cargo xtask bench`: what taintwatch costs, counted in a guest whose clock counts instructions.
//!
//! In: a kernel. Out: a table, and `docs/bench/SERIES.json`, which the README's table is made of; or, with `--check`, a
//! failure for each figure that is a tenth above the one in that file.

mod figures;

use std::fs;

use anyhow::{Result, bail, ensure};

use crate::{
    build, kernels,
    qemu::{Ended, Flow, Heard},
    vm,
};
use figures::Figures;

/// Count what taintwatch costs, in instructions of a guest
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this kernel; else each that the tree has figures of
    #[arg(long, value_name = "SERIES")]
    kernel: Option<String>,
    /// Compare what is counted with the figures in docs/bench, and fail where it is a tenth more
    #[arg(long)]
    check: bool,
}

/// The kernels of the table.
const KERNELS: [&str; 2] = ["6.1", "7.3"];

/// Counts, prints, and writes or compares.
pub(crate) fn run(args: &Args) -> Result<u8> {
    let asked = args.kernel.as_deref();
    let mut worse = Vec::new();
    for series in KERNELS {
        if asked.is_none_or(|only| only == series) {
            worse.extend(kernel(series, args.check)?);
        }
    }
    if let Some(other) = asked.filter(|only| !KERNELS.contains(only)) {
        bail!(
            "no figures of {other} are kept: there are {}",
            KERNELS.join(", ")
        );
    }
    for line in &worse {
        eprintln!("more than a tenth above docs/bench: {line}");
    }
    Ok(u8::from(!worse.is_empty()))
}

/// What the gate asks: that nothing became worse.
pub(crate) fn check(series: &str) -> Result<()> {
    let worse = counted(series, true)?.worse(&Figures::read(series)?);
    ensure!(
        worse.is_empty(),
        "more than a tenth above docs/bench:\n{}",
        worse.join("\n")
    );
    Ok(())
}

/// Gives what became worse.
fn kernel(series: &str, check: bool) -> Result<Vec<String>> {
    let counted = counted(series, check)?;
    let kept = Figures::read(series).unwrap_or_default();
    println!("{}", counted.table(series, &kept));
    if check {
        ensure!(
            !kept.is_empty(),
            "docs/bench has no figures of {series}: run it without --check"
        );
        return Ok(counted.worse(&kept));
    }
    counted.write(series)?;
    Ok(Vec::new())
}

/// Boots the guest. What takes minutes of its time is left out where it is compared.
fn counted(series: &str, check: bool) -> Result<Figures> {
    let job = if check { "bench" } else { "bench whole" };
    let mut guest = vm::guest(&kernels::get(series)?, "bench", job)?;
    guest.counts_instructions = true;
    // The allocator's checks of other guests cost more than what is counted.
    guest.append = "";
    let mut figures = Figures::default();
    let mut other = Vec::new();
    let ended = guest.run(|heard| {
        if let Heard::Line(line) = heard
            && !figures.line(line)
        {
            other.push(line.to_owned());
        }
        Flow::Continue
    })?;
    if ended != Ended::Exited(0) {
        bail!(
            "the guest ended with {ended:?}; it printed:\n{}",
            other.join("\n")
        );
    }
    let binary = fs::metadata(build::dist()?.join("taintwatch"))?;
    figures.add("binary.bytes", binary.len());
    Ok(figures)
}
