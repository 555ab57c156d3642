//! `cargo xtask test`: every check, the guests last. Ends with a table of kernels and scenarios, and `N
//! passed, N failed`.

mod browser;
mod host;
mod matrix;
mod power_cut;

use std::time::Instant;

use anyhow::{Result, bail, ensure};

use crate::{
    journal,
    kernels::{self, Kernel},
    qemu::{Ended, Flow},
    vm,
};
use matrix::Matrix;

/// Where the systemd guest's events come from.
const JOURNAL_KERNEL: &str = "6.1";
/// Kernels whose storm is a million calls; the emulated trap makes them dear.
const WHOLE_STORM: [&str; 2] = ["6.1", "7.3"];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the guests of this kernel, and nothing else
    #[arg(long, value_name = "SERIES")]
    kernel: Option<String>,
    /// Only the HTML report in a browser
    #[arg(long, conflicts_with = "kernel")]
    browser: bool,
}

/// Runs everything, whatever fails on the way.
pub(crate) fn run(args: &Args) -> Result<u8> {
    let mut matrix = Matrix::default();
    if args.browser {
        host::in_a_browser(&mut matrix);
        return Ok(u8::from(matrix.end() > 0));
    }
    if args.kernel.is_none() {
        host::run(&mut matrix)?;
    }
    let series: Vec<_> = match &args.kernel {
        Some(kernel) => vec![kernel.as_str()],
        None => kernels::series().collect(),
    };
    for series in &series {
        match kernels::get(series) {
            Ok(kernel) => guests(&kernel, &mut matrix),
            Err(error) => matrix.cell(series, "the kernel", Err(error)),
        }
    }
    if series.contains(&JOURNAL_KERNEL) {
        let ran = in_the_journal(&mut matrix);
        matrix.check("systemd: guest of the journal", ran);
    }
    Ok(u8::from(matrix.end() > 0))
}

fn guests(kernel: &Kernel, matrix: &mut Matrix) {
    let series = kernel.series.as_str();
    println!("{series}: {}", kernel.release);
    let began = Instant::now();
    let calls = if WHOLE_STORM.contains(&series) {
        "1000000"
    } else {
        "50000"
    };
    let ran = scenarios(
        kernel,
        &format!("scenarios all {calls}"),
        "scenarios",
        matrix,
    );
    matrix.cell(series, "guest of the scenarios", ran);
    let ran = scenarios(kernel, "scenarios causes", "causes", matrix);
    matrix.cell(series, "guest of the causes", ran);
    let ran = scenarios(kernel, "scenarios rungs", "rungs", matrix);
    matrix.cell(series, "guest of the rungs", ran);
    matrix.cell(
        series,
        "an event survives a power cut",
        power_cut::run(kernel),
    );
    matrix.cell(series, "nobody gets a status and an error", nobody(kernel));
    println!("{series}: {} s in guests", began.elapsed().as_secs());
}

/// Runs scenarios in a guest; each tells its own result.
fn scenarios(kernel: &Kernel, job: &str, name: &str, matrix: &mut Matrix) -> Result<()> {
    let mut files = vm::files(kernel)?;
    files.file("etc/job", 0o755, job.as_bytes().to_vec());
    let mut told = Vec::new();
    let ended = vm::guest(kernel, &files, name).run(|line| {
        if line.starts_with("storm: ") || line.starts_with("causes: ") {
            println!("        {line}");
        }
        if !matrix.line(&kernel.series, line, !kernel.has_headers) {
            told.push(line.to_owned());
        }
        Flow::Continue
    })?;
    if ended != Ended::Exited(0) {
        bail!("{job} ended with {ended:?}; it said:\n{}", told.join("\n"));
    }
    Ok(())
}

/// Who has no rights still gets a status, and from the recorder an error that says what is missing.
fn nobody(kernel: &Kernel) -> Result<()> {
    let mut files = vm::files(kernel)?;
    let job = "constrain nobody taintwatch status; echo \"status $?\"\n\
         constrain nobody taintwatch daemon; echo \"daemon $?\"\n";
    files.file("etc/job", 0o755, job.into());
    let mut text = String::new();
    vm::guest(kernel, &files, "nobody").run(|line| {
        text = format!("{text}{line}\n");
        Flow::Continue
    })?;
    for wanted in [
        "not tainted",
        "status 0",
        "needs root",
        "CAP_BPF",
        "daemon 2",
    ] {
        ensure!(
            text.contains(wanted),
            "no {wanted:?} in what was said:\n{text}"
        );
    }
    Ok(())
}

/// The same scenarios under systemd, and each event held against the journal.
fn in_the_journal(matrix: &mut Matrix) -> Result<()> {
    let kernel = kernels::get(JOURNAL_KERNEL)?;
    let script = "scenarios all 20000 && journalctl --sync && scenarios journal";
    let mut told = Vec::new();
    let status = journal::run(&kernel, script, |line| {
        if !matrix.line("systemd", line, false) {
            told.push(line.to_owned());
        }
        Flow::Continue
    })?;
    ensure!(status == 0, "exit {status}; it said:\n{}", told.join("\n"));
    Ok(())
}
