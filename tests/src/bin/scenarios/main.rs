//! The truth, asked in a guest: taints this kernel in each way and checks what taintwatch stored.
//!
//! In: `/modules` where they could be built, `/patched`, a taintwatch in the path. Out: a line a scenario,
//! `PASS name`, `FAIL name: why`, or `NA name: why` for what this guest cannot have; exit 1 when one failed.
//!
//! | words | what |
//! |--|--|
//! | `all [CALLS]` | everything that happens while one recorder runs |
//! | `only TEXT` | those of `all` and `causes` that have TEXT in their name |
//! | `causes` | what made each flag, and cases that mislead |
//! | `late` | a recorder on a kernel that is tainted already |
//! | `run` | commands that are watched, with a recorder and without |
//! | `store` | what happens to a history while its recorder runs |
//! | `hold FOLDER` | every lock that can be had on the files of a folder, until the input ends |
//! | `fallbacks` | one recorder for each mechanism that is taken away |
//! | `early` | a boot whose initial file system attaches the hooks |
//! | `takeover [KILLS]` | recorders that are killed or stopped, and those that take over |
//! | `file-systems` | modules on btrfs, on an overlay, in a container |
//! | `system` | what needs udev and kmod |
//! | `journal` | the history of `all` against the journal |
//! | `package` | the Debian package, installed, used and purged |
//! | `crash DB`, `crashed DB` | ends the kernel; looks in the next boot |
//! | `inside ROOT PROGRAM` | a program in a mount namespace of its own |
//! | `insmod FILE [ARGUMENTS]` | one `finit_module`, where busybox would try a second load after a failed one |

#![expect(
    clippy::indexing_slicing,
    reason = "an index into a JSON value gives null where nothing is"
)]

mod beside;
mod causes;
mod codes;
mod contexts;
mod corpus;
mod cpus;
mod crashed;
mod daemon;
mod early;
mod fallbacks;
mod file_systems;
mod follow;
mod hardship;
mod history;
mod journal;
mod late;
mod live;
mod loading;
mod outlets;
mod overflow;
mod package;
mod patched;
mod run;
mod schema;
mod status;
mod storm;
mod stuck;
mod suse;
mod system;
mod tail;
mod takeover;
mod tamper;
mod truth;

use std::{env, path::Path, process::ExitCode};

use anyhow::{Result, ensure};

use daemon::Daemon;
use history::History;
use truth::{Actors, Verdict};

/// The history of the recorder of `all`.
pub(crate) const DB: &str = "/var/lib/taintwatch/events.db";
/// That of the recorder of `system`.
pub(crate) const DB_OF_SYSTEM: &str = "/var/lib/taintwatch/system.db";

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().collect();
    let mut words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let name = words.remove(0).rsplit('/').next().unwrap_or_default();
    if name == "insmod" || name == "modprobe" {
        words.insert(0, name);
    }
    let done = match words.as_slice() {
        ["all"] => run(&corpus::EVENTS, "events", DB, MILLION),
        ["all", calls] => calls
            .parse()
            .map_err(Into::into)
            .and_then(|calls| run(&corpus::EVENTS, "events", DB, calls)),
        ["only", name] => {
            let both = corpus::EVENTS.iter().chain(&corpus::CAUSES);
            let named: Vec<_> = both
                .filter(|one| one.name.contains(name))
                .copied()
                .collect();
            run(&named, "only", DB, MILLION)
        }
        ["suse"] => suse::flags(),
        ["fallbacks"] => fallbacks::all(),
        ["causes"] => run(&corpus::CAUSES, "causes", DB, 0),
        ["crash", db] => crashed::crash(db),
        ["crashed", db] => crashed::crashed(db),
        ["late"] => late::all(),
        ["store"] => hardship::all(),
        ["hold", folder] => hardship::hold(folder),
        ["run"] => {
            let mut tally = Tally::default();
            run::all(&mut tally).and_then(|()| tally.end())
        }
        ["file-systems"] => run(&corpus::FILE_SYSTEMS, "file-systems", DB, 0),
        ["inside", root, program, arguments @ ..] => file_systems::inside(root, program, arguments),
        ["system"] => run(&corpus::SYSTEM, "system", DB_OF_SYSTEM, 0),
        ["socket", family] => family
            .parse()
            .map_err(Into::into)
            .and_then(causes::behalf::socket),
        ["sockets", number] => number
            .parse()
            .map_err(Into::into)
            .and_then(causes::behalf::sockets),
        ["modprobe", ..] => causes::behalf::modprobe(),
        ["journal"] => journal::journal(),
        ["early"] => early::all(),
        ["takeover"] => takeover::all(6),
        ["takeover", kills] => kills.parse().map_err(Into::into).and_then(takeover::all),
        ["package"] => package::all(),
        ["insmod", file, parameters @ ..] => {
            loading::load_file(file, &parameters.join(" ")).map_err(Into::into)
        }
        _ => Err(anyhow::anyhow!(
            "scenarios all [CALLS] | only TEXT | causes | file-systems | system | early | late | run | store | crash DB | crashed DB | fallbacks | takeover [KILLS] | journal | package | insmod FILE [ARGUMENTS]"
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

/// One thing that is done to the kernel, and who does it.
#[derive(Clone, Copy)]
struct Scenario {
    name: &'static str,
    needs: Needs,
    run: fn(&mut History) -> Result<()>,
    actors: Actors,
}

/// Calls of the storm unless another number is asked for.
const MILLION: u64 = 1_000_000;

/// Runs scenarios while one recorder records; names are held against the truth as well.
fn run(scenarios: &[Scenario], title: &str, db: &str, calls: u64) -> Result<()> {
    let mut daemon = Daemon::start(&[], &[], db)?;
    let mut history = History::of(db);
    history.calls = calls;
    // What was before is another part's matter.
    history.settled()?;
    history.catch_up()?;
    let mut tally = Tally::default();
    let mut verdict = Verdict::default();
    let has_modules = Path::new("/modules").is_dir();
    for scenario in scenarios {
        let name = scenario.name;
        if scenario.needs == Needs::Modules && !has_modules {
            tally.count(name, Err(NO_HEADERS.into()));
            continue;
        }
        let before = history.seen;
        tally.count(name, (scenario.run)(&mut history));
        // All of its events, also those that it has left behind itself.
        history.seen = before;
        verdict.judge(&history.passed()?, scenario.actors);
        history.catch_up()?;
    }
    if let Err(error) = daemon.stop() {
        tally.count("recorder", Err(error));
    }
    tally.count("orderly stop", status::ended(&history.all()?));
    println!(
        "names: {title} {} {} {}",
        verdict.right,
        verdict.unknown,
        verdict.wrong.len()
    );
    tally.names(title, &verdict);
    tally.end()
}

/// What this very kernel cannot have, and why; the host, which boots it, knows which those are.
#[derive(Debug)]
pub(crate) struct Lacks(pub(crate) &'static str);

/// The reason of everything that needs modules built for the kernel.
pub(crate) const NO_HEADERS: Lacks = Lacks("the suites have no headers of this kernel");

impl std::fmt::Display for Lacks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Lacks {}

/// What passed and what did not.
#[derive(Default)]
pub(crate) struct Tally {
    failed: u32,
}

impl Tally {
    pub(crate) fn count(&mut self, name: &str, result: Result<()>) {
        match result {
            Ok(()) => println!("PASS {name}"),
            Err(error) if error.is::<Lacks>() => println!("NA {name}: {error}"),
            Err(error) => {
                self.failed += 1;
                println!("FAIL {name}: {error:#}");
            }
        }
    }

    /// No event names somebody who had no part, and none says less than the evidence.
    pub(crate) fn names(&mut self, title: &str, verdict: &Verdict) {
        let none = |events: &[String], what: &str| {
            let list = events.join("\n");
            ensure!(events.is_empty(), "{} {what}:\n{list}", events.len());
            Ok(())
        };
        let wrong = none(&verdict.wrong, "names are wrong");
        self.count(&format!("{title}: no wrong name"), wrong);
        let silent = none(
            &verdict.silent,
            "events in scenarios whose every cause can be known",
        );
        self.count(&format!("{title}: no more unknown than can be"), silent);
    }

    pub(crate) fn end(&self) -> Result<()> {
        ensure!(self.failed == 0, "{} failed", self.failed);
        Ok(())
    }
}
