//! `taintwatch daemon`: the recorder. In the foreground, for a service manager to run.

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    output::journald,
    probe::{Without, attempts},
    recorder::Recorder,
    socket,
    watcher::Watcher,
};

/// How often the heartbeat is written: the longest time that an unclean end leaves open.
const HEARTBEAT: Duration = Duration::from_mins(1);

/// Record what taints the kernel, until it is stopped
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where live readers connect
    #[arg(long, value_name = "PATH", default_value = socket::DEFAULT_PATH)]
    socket: PathBuf,
    #[command(flatten)]
    without: Without,
}

/// Records until SIGTERM or SIGINT.
pub fn run(args: &Args, db: &Path, out: &mut dyn Write) -> Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(record(args, db, out))
}

/// With hooks; without them where none can be attached, which the first event records.
fn begin(without: &Without) -> Result<Watcher> {
    match Watcher::hooked(without) {
        Ok(watcher) => Ok(watcher),
        Err(error) if !nix::unistd::geteuid().is_root() => Err(error.into()),
        Err(error) => Ok(Watcher::polled(&error)?),
    }
}

async fn record(args: &Args, db: &Path, out: &mut dyn Write) -> Result<u8> {
    let mut watcher = begin(&args.without)?;
    // Before anything is recorded: a stop is then recorded as the end of the coverage.
    let mut terminate = signal(SignalKind::terminate()).context("wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("wait for SIGINT")?;
    // What is made is nobody else's until it says whose it is.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let mut recorder = Recorder::new(db, &args.socket)?;
    watcher.explain_before(recorder.past(), usize::MAX);
    writeln!(
        out,
        "taintwatch records to {}\n{}",
        db.display(),
        attempts::list(watcher.hooks())
    )?;
    if !journald::is_there() {
        writeln!(
            out,
            "note: this machine has no journal; events go to the history alone"
        )?;
    }
    out.flush()?;
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    let mut failed = None;
    let reason = loop {
        tokio::select! {
            event = watcher.next(), if recorder.has_room() => match event {
                Ok(event) => {
                    let complete = |event: &mut _| watcher.complete(event);
                    recorder.record_and_complete(event, complete);
                }
                Err(error) => {
                    failed = Some(error.into());
                    break "monitoring failed";
                }
            },
            () = recorder.due() => recorder.retry(),
            _ = heartbeat.tick() => recorder.heartbeat(),
            _ = terminate.recv() => break "stopped by SIGTERM",
            _ = interrupt.recv() => break "stopped by SIGINT",
        }
        // Readers are served between two events.
        tokio::task::yield_now().await;
    };
    for event in watcher.end(reason) {
        recorder.record(event);
    }
    if let Err(error) = recorder.end() {
        failed.get_or_insert(error);
    }
    tokio::task::yield_now().await;
    failed.map_or(Ok(0), Err)
}
