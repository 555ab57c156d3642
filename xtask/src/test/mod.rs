//! `cargo xtask test`: every check, the guests last. Ends with a table of kernels and scenarios, and `N
//! passed, N failed`.

mod browser;
mod crash;
mod host;
mod matrix;
mod power_cut;

use std::time::Instant;

use anyhow::{Result, bail, ensure};

use crate::{
    acpi, journal,
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
    /// Only this kind of guest: all, causes, rungs, late, power-cut, crash, nobody or systemd
    #[arg(long, value_name = "GUEST", value_parser = guest_names())]
    guest: Option<String>,
    /// Only the HTML report in a browser
    #[arg(long, conflicts_with_all = ["guest", "kernel"])]
    browser: bool,
}

/// Runs everything, whatever fails on the way.
pub(crate) fn run(args: &Args) -> Result<u8> {
    let mut matrix = Matrix::default();
    if args.browser {
        host::in_a_browser(&mut matrix);
        return Ok(u8::from(matrix.end() > 0));
    }
    let only = args.guest.as_deref();
    if args.kernel.is_none() && only.is_none() {
        host::run(&mut matrix)?;
    }
    let series: Vec<_> = match &args.kernel {
        Some(kernel) => vec![kernel.as_str()],
        None => kernels::series().collect(),
    };
    for series in series.iter().filter(|_| only != Some("systemd")) {
        match kernels::get(series) {
            Ok(kernel) => guests(&kernel, only, &mut matrix),
            Err(error) => matrix.cell(series, "the kernel", Err(error)),
        }
    }
    if series.contains(&JOURNAL_KERNEL) && only.is_none_or(|only| only == "systemd") {
        for (name, script) in UNDER_SYSTEMD {
            let ran = under_systemd(name, script, &mut matrix);
            matrix.check(&format!("systemd: guest of {name}"), ran);
        }
    }
    Ok(u8::from(matrix.end() > 0))
}

/// The kinds of guests of a kernel, with the cells that tell whether they ran.
const GUESTS: [(&str, &str); 7] = [
    ("all", "guest of the scenarios"),
    ("causes", "guest of the causes"),
    ("rungs", "guest of the rungs"),
    ("late", "guest that is watched late"),
    ("power-cut", "an event survives a power cut"),
    ("crash", "a panic is in the history of its boot"),
    ("nobody", "nobody gets a status and an error"),
];

/// A name that is none of these would run nothing, and look like a pass.
fn guest_names() -> Vec<&'static str> {
    let names = GUESTS.iter().map(|(name, _)| *name);
    names.chain(["systemd"]).collect()
}

fn guests(kernel: &Kernel, only: Option<&str>, matrix: &mut Matrix) {
    let series = kernel.series.as_str();
    println!("{series}: {}", kernel.release);
    let began = Instant::now();
    for (guest, cell) in GUESTS {
        if only.is_some_and(|only| only != guest) {
            continue;
        }
        let ran = match guest {
            "power-cut" => power_cut::run(kernel),
            "crash" => crash::run(kernel),
            "nobody" => nobody(kernel),
            words => scenarios(kernel, words, matrix),
        };
        matrix.cell(series, cell, ran);
    }
    println!("{series}: {} s in guests", began.elapsed().as_secs());
}

/// Runs scenarios in a guest; each tells its own result.
fn scenarios(kernel: &Kernel, name: &str, matrix: &mut Matrix) -> Result<()> {
    let mut files = vm::files(kernel)?;
    let calls = if WHOLE_STORM.contains(&kernel.series.as_str()) {
        "1000000"
    } else {
        "50000"
    };
    let job = format!(
        "scenarios {name} {}",
        if name == "all" { calls } else { "" }
    );
    files.file("etc/job", 0o755, job.trim().as_bytes().to_vec());
    if name == "late" {
        files.file(acpi::PATH, 0o644, acpi::table());
    }
    let mut told = Vec::new();
    let ended = vm::guest(kernel, &files, name).run(|line| {
        if line.starts_with("storm: ") {
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

/// What runs under systemd, each in a guest of its own: the events held against the journal, with udev and kmod; and
/// a recorder that starts late and has the journal to ask.
const UNDER_SYSTEMD: [(&str, &str); 2] = [
    (
        "journal",
        "scenarios all 20000 && journalctl --sync && scenarios journal && depmod && scenarios system",
    ),
    ("late", "scenarios late"),
];

fn under_systemd(name: &str, script: &str, matrix: &mut Matrix) -> Result<()> {
    let kernel = kernels::get(JOURNAL_KERNEL)?;
    let mut told = Vec::new();
    let status = journal::run(&kernel, name, script, |line| {
        if !matrix.line("systemd", line, false) {
            told.push(line.to_owned());
        }
        Flow::Continue
    })?;
    ensure!(status == 0, "exit {status}; it said:\n{}", told.join("\n"));
    Ok(())
}
