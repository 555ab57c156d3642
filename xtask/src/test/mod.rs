//! `cargo xtask test`: every check, three parts at once on two processors.
//!
//! Out: the results of a guest when it ends; then tables of kernels and scenarios, of named causes and of the time, and
//! `N passed, N failed`.

mod alerts;
mod browser;
mod changed;
mod crash;
mod early;
mod file_systems;
mod guests;
mod host;
mod matrix;
mod plan;
mod power_cut;
mod queue;
mod times;

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    prefetch,
    progress::{self, Spinner},
    setup,
};
use host::Host;
use matrix::Matrix;
use plan::{Plan, Work};
use times::Times;

/// Guests at once, however many processors there are: each wants a gibibyte of memory, some want three.
const AT_ONCE: usize = 6;

/// Run every check and every guest scenario
///
/// Without options all checks run, and each kind of guest on each kernel. Results of a guest are printed when it ends.
/// Before a commit `--changed` runs what the changed files can break: for texts the formatting and the tests, for
/// taintwatch's own code guests of the oldest and the newest kernel as well.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the guests of this kernel, and nothing else
    #[arg(long, value_name = "SERIES")]
    kernel: Option<String>,
    /// Only this kind of guest: all, causes, fallbacks, late, store, power-cut, crash, file-systems, takeover, bench,
    /// unprivileged, demo, systemd or one of its guests: systemd-journal, systemd-late, systemd-package
    #[arg(long, value_name = "GUEST", value_parser = guests::names())]
    guest: Option<String>,
    /// How many power cuts the guest of those has
    #[arg(long, value_name = "N", default_value_t = power_cut::CUTS)]
    cuts: usize,
    /// Only the HTML report in a browser
    #[arg(long, conflicts_with_all = ["guest", "kernel"])]
    browser: bool,
    /// Only what files can break that differ from this branch or commit: for work in progress
    #[arg(long, value_name = "BASE", num_args = 0..=1, default_missing_value = "main",
        conflicts_with_all = ["guest", "kernel", "browser"])]
    changed: Option<String>,
}

/// What a part of the run gave.
struct Ran {
    place: usize,
    matrix: Matrix,
    times: Times,
}

/// Runs everything, whatever fails on the way.
pub(crate) fn run(args: &Args) -> Result<u8> {
    let began = Instant::now();
    let plan = Plan::new(args)?;
    power_cut::ask(args.cuts);
    setup::packages()?;
    let mut parts = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| prefetch::guests(&plan.series()));
        setup::tools()?;
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let jobs = plan.jobs();
        let number = jobs.len();
        let sum = Spinner::new(&format!("0 of {number} parts are done"));
        let show = |ran: Ran| {
            progress::say(&ran.matrix.lines());
            parts.push(ran);
            sum.show(format!("{} of {number} parts are done", parts.len()));
        };
        // Guests wait now and then: for the daemon to read its counts, for a disk.
        let places = processors.saturating_mul(3).div_ceil(2).min(AT_ONCE);
        queue::run(jobs, places, work, show);
        anyhow::Ok(())
    })?;
    Ok(u8::from(end(parts, began.elapsed()) > 0))
}

fn work((place, work): (usize, Work)) -> Ran {
    let (mut matrix, mut times) = (Matrix::default(), Times::default());
    let began = Instant::now();
    match work {
        Work::Host(asked) => host::run(asked, &mut matrix, &mut times),
        Work::Guest(series, kind) => guests::run(series, kind, &mut matrix),
        Work::Systemd(name, script) => guests::under_systemd(name, script, &mut matrix),
        Work::Demo => guests::demo(&mut matrix),
    }
    if !matches!(work, Work::Host(_)) {
        times.add(&work.to_string(), began.elapsed(), matrix.boots);
    }
    Ran {
        place,
        matrix,
        times,
    }
}

/// Prints the tables, in the order of the plan. Gives how many failed.
fn end(mut parts: Vec<Ran>, took: Duration) -> usize {
    parts.sort_by_key(|ran| ran.place);
    let (mut matrix, mut times) = (Matrix::default(), Times::default());
    for ran in parts {
        matrix.absorb(ran.matrix);
        times.absorb(ran.times);
    }
    println!("{}{}", matrix.tables(), times.table(took));
    println!("{}", matrix.sum());
    matrix.failed()
}
