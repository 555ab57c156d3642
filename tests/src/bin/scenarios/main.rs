//! The truth, asked in a guest: taints this kernel in each way and checks what taintwatch stored.
//!
//! In: `/modules` where they could be built, `/patched`, a taintwatch in the path. Out: a line a scenario,
//! `PASS name`, `FAIL name: why`, or `NA name: why` for what this guest cannot have; exit 1 when one failed.
//!
//! `scenarios all [CALLS]` is everything that happens while one recorder runs; `scenarios rungs` starts one for each
//! mechanism that is taken away; `scenarios journal` holds the history against the journal; `scenarios insmod
//! FILE [ARGUMENTS]` loads a module by one `finit_module`, where busybox would try a second load after a
//! failed one.

#![expect(
    clippy::indexing_slicing,
    reason = "an index into a JSON value gives null where nothing is"
)]

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
    if name == "insmod" {
        words.insert(0, name);
    }
    let done = match words.as_slice() {
        ["all"] => all(MILLION),
        ["all", calls] => calls.parse().map_err(Into::into).and_then(all),
        ["rungs"] => rungs::all(),
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

fn all(calls: u64) -> Result<()> {
    let mut daemon = Daemon::start(&[], &[], DB)?;
    let mut history = History::of(DB);
    history.calls = calls;
    let mut tally = Tally::default();
    let has_modules = Path::new("/modules").is_dir();
    for (name, needs, scenario) in SCENARIOS {
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
