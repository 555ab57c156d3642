//! The truth, asked in a guest: taints this kernel in each way and checks what taintwatch stored.
//!
//! In: `/modules` where they could be built, `/patched`, a taintwatch in the path. Out: a line a scenario,
//! `PASS name`, `FAIL name: why`, or `NA name: why` for what this guest cannot have; exit 1 when one failed.
//!
//! `scenarios all [CALLS]` is everything that happens while one recorder runs; `scenarios causes` is what made each flag; `scenarios rungs` starts one for each
//! mechanism that is taken away; `scenarios journal` holds the history against the journal; `scenarios insmod
//! FILE [ARGUMENTS]` loads a module by one `finit_module`, where busybox would try a second load after a
//! failed one.

#![expect(
    clippy::indexing_slicing,
    reason = "an index into a JSON value gives null where nothing is"
)]

mod causes;
mod contexts;
mod daemon;
mod history;
mod journal;
mod loading;
mod patched;
mod rungs;
mod status;
mod storm;
mod tamper;

use std::{env, path::Path, process::ExitCode};

use anyhow::{Result, ensure};

use daemon::Daemon;
use history::History;

/// The history of the recorder of `all`.
pub(crate) const DB: &str = "/var/lib/taintwatch/events.db";

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().collect();
    let mut words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let name = words.remove(0).rsplit('/').next().unwrap_or_default();
    if name == "insmod" || name == "modprobe" {
        words.insert(0, name);
    }
    let done = match words.as_slice() {
        ["all"] => all(MILLION),
        ["all", calls] => calls.parse().map_err(Into::into).and_then(all),
        ["rungs"] => rungs::all(),
        ["causes"] => {
            let done = run(&CAUSES, DB, 0);
            tell_of_causes().and(done)
        }
        ["socket", family] => family.parse().map_err(Into::into).and_then(causes::socket),
        ["modprobe", ..] => causes::modprobe(),
        ["journal"] => journal::journal(),
        ["insmod", file, parameters @ ..] => {
            loading::load_file(file, &parameters.join(" ")).map_err(Into::into)
        }
        _ => Err(anyhow::anyhow!(
            "scenarios all [CALLS] | rungs | journal | insmod FILE [ARGUMENTS]"
        )),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What a scenario cannot do without.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// Modules that are built against the kernel's headers.
    Modules,
}

type Scenario = (&'static str, Needs, fn(&mut History) -> Result<()>);

const SCENARIOS: [Scenario; 20] = [
    ("stock module, unsigned", Needs::Nothing, patched::unsigned),
    ("stock module that fails", Needs::Nothing, patched::fails),
    ("sysctl write", Needs::Nothing, loading::sysctl_write),
    ("sysctl write again", Needs::Nothing, loading::sysctl_again),
    ("module load", Needs::Modules, loading::module_load),
    ("proprietary module", Needs::Modules, loading::proprietary),
    ("WARN in module init", Needs::Modules, loading::warn_in_init),
    ("WARN from a work item", Needs::Modules, loading::warn_later),
    (
        "module that fails in init",
        Needs::Modules,
        loading::fail_init,
    ),
    (
        "module with an unresolved symbol",
        Needs::Modules,
        loading::unresolved,
    ),
    ("module unload", Needs::Modules, loading::unload),
    ("after unload", Needs::Modules, loading::after_unload),
    ("user task on each CPU", Needs::Modules, contexts::each_cpu),
    (
        "kthread, softirq, hardirq, nmi",
        Needs::Modules,
        contexts::contexts,
    ),
    ("storm of calls", Needs::Modules, storm::storm),
    ("hidden module", Needs::Modules, tamper::hidden),
    ("direct set", Needs::Modules, tamper::direct_set),
    ("direct clear", Needs::Modules, tamper::direct_clear),
    ("storm of direct writes", Needs::Modules, storm::direct),
    ("status and report", Needs::Nothing, status::status),
];

/// Calls of the storm unless another number is asked for.
const MILLION: u64 = 1_000_000;

/// What made each flag, and cases that are made to mislead. The oops is last: it leaves a module that cannot go.
const CAUSES: [Scenario; 15] = [
    ("F and R, forced", Needs::Modules, causes::forced),
    (
        "C, K and N, by the module's own word",
        Needs::Modules,
        causes::kinds,
    ),
    ("S, by a register", Needs::Nothing, causes::register),
    ("X, by fanotify", Needs::Nothing, causes::fanotify),
    ("B, by the allocator", Needs::Modules, causes::overflow),
    ("W, with its report", Needs::Modules, causes::warning),
    ("module identity", Needs::Modules, causes::identity),
    ("module without a file", Needs::Modules, causes::no_file),
    ("requested by the kernel", Needs::Nothing, causes::requested),
    (
        "hostile texts, longest name",
        Needs::Modules,
        causes::hostile,
    ),
    ("read late", Needs::Modules, causes::late),
    ("two loads at once", Needs::Modules, causes::at_once),
    ("other namespaces", Needs::Modules, causes::namespaces),
    ("L, by the watchdog", Needs::Modules, causes::lockup),
    ("D, in a kernel thread", Needs::Modules, causes::oops),
];

fn all(calls: u64) -> Result<()> {
    run(&SCENARIOS, DB, calls)
}

fn run(scenarios: &[Scenario], db: &str, calls: u64) -> Result<()> {
    let mut daemon = Daemon::start(&[], &[], db)?;
    let mut history = History::of(db);
    history.calls = calls;
    let mut tally = Tally::default();
    let has_modules = Path::new("/modules").is_dir();
    for &(name, needs, scenario) in scenarios {
        if needs == Needs::Modules && !has_modules {
            println!("NA {name}: the suites have no headers of this kernel");
            continue;
        }
        tally.count(name, scenario(&mut history));
        history.catch_up()?;
    }
    if let Err(error) = daemon.stop() {
        tally.count("recorder", Err(error));
    }
    tally.count("orderly stop", status::ended(&history.all()?));
    tally.end()
}

/// How many flags have a cause, and how many are told as unknown; a wrong one fails its scenario.
fn tell_of_causes() -> Result<()> {
    let events = History::of(DB).all()?;
    let taints = events.iter().filter(|event| event["kind"] == "taint");
    let (unknown, known): (Vec<_>, Vec<_>) =
        taints.partition(|event| event["cause"]["class"] == "unknown");
    println!("causes: {} known, {} unknown", known.len(), unknown.len());
    Ok(())
}

/// What passed and what did not.
#[derive(Default)]
pub(crate) struct Tally {
    failed: u32,
}

impl Tally {
    pub(crate) fn count(&mut self, name: &str, result: Result<()>) {
        match result {
            Ok(()) => println!("PASS {name}"),
            Err(error) => {
                self.failed += 1;
                println!("FAIL {name}: {error:#}");
            }
        }
    }

    pub(crate) fn end(&self) -> Result<()> {
        ensure!(self.failed == 0, "{} failed", self.failed);
        Ok(())
    }
}
