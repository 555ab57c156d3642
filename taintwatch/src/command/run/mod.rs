//! `taintwatch run`: runs a command, and fails if the kernel was tainted meanwhile. For test suites.
//!
//! In: a command, what is allowed. Out: the command's exit code or one of its own, a summary on standard error, files for
//! CI. The command has the standard streams to itself, but for the summary.

mod child;
mod place;
mod source;

use std::{
    ffi::OsString,
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::{
    config,
    kernel::{
        identity::{boottime_ns, wall_clock},
        mask,
    },
    output::{
        json,
        layout::Layout,
        run::{junit, people, tap},
    },
    probe::Without,
    verdict::{
        Command, Ended, Judge, Outcome, Policy,
        allow::{self, Rule},
        whose::{Processes, Whose},
    },
};
use child::{Child, Received, Signals};
use place::Place;
use source::Source;

/// The pid namespace that the kernel itself numbers processes in (`PROC_PID_INIT_INO`).
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";

/// Run a command, and fail if the kernel was tainted meanwhile
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A taint that does not count: a flag, or `flag=W,module=GLOB,caller=GLOB,signer=GLOB,expires=DATE,reason=TEXT`
    #[arg(long = "allow", value_name = "RULE")]
    allow: Vec<Rule>,
    /// Taints that do not count, as a list of `[[allow]]` in TOML
    #[arg(long, value_name = "FILE")]
    allow_file: Vec<PathBuf>,
    /// Accept that part of the time was not monitored, or that records were lost
    #[arg(long)]
    allow_gaps: bool,
    /// Whose taints make it fail
    #[arg(long, value_enum, value_name = "WHOSE", value_delimiter = ',', default_values = ["command", "unknown"])]
    whose: Vec<Whose>,
    /// How many seconds to go on after the command's end, for what it has set going
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, value_parser = seconds)]
    wait: f64,
    /// Write the outcome as one JSON object
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the outcome as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the outcome in the Test Anything Protocol
    #[arg(long, value_name = "FILE")]
    tap: Option<PathBuf>,
    /// Where the daemon listens [default: that of the configuration, or /run/taintwatch/events.sock]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Attach hooks for this run alone, also where a daemon runs; needs root, and one of four debug registers
    #[arg(long)]
    own_hooks: bool,
    #[command(flatten)]
    without: Without,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_wrong| "give a number of seconds".to_owned())?;
    if (0.0..=86_400.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("give a number of seconds, at most a day".to_owned())
    }
}

/// Exit: that of the command; 99 tainted; 125 could not watch, as for any error; 126 and 127 as in `env`.
pub fn run(args: &Args, db: &Path) -> Result<u8> {
    let mut rules = args.allow.clone();
    for file in &args.allow_file {
        rules.extend(allow::read(file)?);
    }
    let policy = Policy {
        rules,
        whose: args.whose.clone(),
        gaps_allowed: args.allow_gaps,
        today: jiff::tz::Offset::UTC
            .to_datetime(wall_clock(boottime_ns()).0)
            .date(),
    };
    let files = Files::open(args)?;
    let socket = match &args.socket {
        Some(named) => named.clone(),
        None => config::load_or_default(None)?.socket.path,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(watch(args, policy, &socket, db))?;
    let mut layout = Layout::for_stderr();
    people::print(&outcome, &mut layout);
    // If standard error is closed, the files and the exit code are left.
    _ = write!(anstream::stderr(), "{}", layout.text());
    files.write(&outcome)?;
    Ok(outcome.exit_code)
}

/// Monitors, runs, and monitors on until all that happened is known.
async fn watch(args: &Args, policy: Policy, socket: &Path, db: &Path) -> Result<Outcome> {
    let mut signals = Signals::begin()?;
    let mut source = if args.own_hooks {
        Source::own(&args.without)?
    } else {
        Source::begin(socket, db, &args.without).await?
    };
    let place = Place::make();
    let processes = Processes {
        cgroup: place.as_ref().ok().map(|place| place.name().to_owned()),
        root: own_pid(),
    };
    let mut judge = Judge::new(processes, policy);
    let place = place
        .map_err(|why| judge.note(format!("the command has no cgroup of its own: {why}")))
        .ok();
    let monitor = source.monitor();
    source.start(&mut judge).await?;
    let mask_before = mask::read().ok();
    let began = boottime_ns();
    let ended = match Child::start(&args.command, place.as_ref()) {
        Ok(mut child) => follow(&mut child, &mut signals, &mut source, &mut judge).await,
        Err(not_started) => Ok(not_started),
    };
    let lasted_ns = boottime_ns().saturating_sub(began);
    let ended = match ended {
        Ok(ended) => {
            linger(args.wait, &mut source, &mut judge).await;
            ended
        }
        Err(error) => {
            drop(place);
            return Err(error);
        }
    };
    let mask_after = mask::read().ok();
    if let Err(error) = source.finish(&mut judge).await {
        judge.gap(format!("{error:#}"));
    }
    let left_running = place.as_ref().is_some_and(Place::is_populated);
    if let Some(place) = &place {
        place.remove();
    }
    let words = args
        .command
        .iter()
        .map(|word| word.to_string_lossy().into_owned());
    let command = Command {
        words: words.collect(),
        ended,
        began: wall_clock(began),
        lasted_ns,
        cgroup: place.as_ref().map(Place::path),
        left_running,
    };
    Ok(judge.outcome(command, monitor, (mask_before, mask_after)))
}

/// Takes events until the command ends.
async fn follow(
    child: &mut Child,
    signals: &mut Signals,
    source: &mut Source,
    judge: &mut Judge,
) -> Result<Ended> {
    let mut is_open = true;
    loop {
        let heard = {
            let mut next = pin!(source.next());
            loop {
                if let Some(ended) = child.ended()? {
                    return Ok(ended);
                }
                // The wait for an event goes on meanwhile: begun anew each time, it would never come to its checks.
                tokio::select! {
                    heard = &mut next, if is_open => break heard,
                    received = signals.next() => if let Received::Forward(signal) = received {
                        child.forward(signal);
                    },
                }
            }
        };
        is_open = hear(heard, source, judge);
    }
}

/// Hands on what came; whether more can come.
fn hear(heard: Result<source::Heard>, source: &mut Source, judge: &mut Judge) -> bool {
    match heard {
        Ok(source::Heard::End(why)) => {
            judge.gap(why);
            false
        }
        Ok(mut heard) => {
            if let source::Heard::Event(event) = &mut heard {
                source.complete(event);
            }
            source::take(judge, heard);
            true
        }
        Err(error) => {
            judge.gap(format!("monitoring failed: {error:#}"));
            false
        }
    }
}

/// Takes events for some more seconds.
async fn linger(seconds: f64, source: &mut Source, judge: &mut Judge) {
    let until = tokio::time::Instant::now() + Duration::from_secs_f64(seconds);
    while let Ok(heard) = tokio::time::timeout_at(until, source.next()).await {
        if !hear(heard, source, judge) {
            return tokio::time::sleep_until(until).await;
        }
    }
}

/// This process as the kernel numbers it: the ancestor of all that the command starts.
fn own_pid() -> Option<u32> {
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    (namespace == Path::new(INITIAL_PID_NAMESPACE)).then(std::process::id)
}

/// The files that the outcome is written to. They are made before the command starts: a wrong path costs no test run.
struct Files {
    json: Option<File>,
    junit: Option<File>,
    tap: Option<File>,
}

impl Files {
    fn open(args: &Args) -> Result<Self> {
        let open = |path: &Option<PathBuf>| {
            let file = path.as_ref().map(|path| {
                File::create(path)
                    .with_context(|| format!("write the outcome to {}", path.display()))
            });
            file.transpose()
        };
        Ok(Self {
            json: open(&args.json)?,
            junit: open(&args.junit)?,
            tap: open(&args.tap)?,
        })
    }

    fn write(self, outcome: &Outcome) -> Result<()> {
        if let Some(mut file) = self.json {
            json::line(outcome, &mut file).context("write the outcome as JSON")?;
        }
        if let Some(mut file) = self.junit {
            let text = junit::document(outcome)?;
            file.write_all(text.as_bytes())
                .context("write the outcome as JUnit")?;
        }
        if let Some(mut file) = self.tap {
            let text = tap::lines(outcome);
            file.write_all(text.as_bytes())
                .context("write the outcome as TAP")?;
        }
        Ok(())
    }
}
