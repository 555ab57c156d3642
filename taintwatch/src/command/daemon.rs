//! `taintwatch daemon`: the recorder. In the foreground, for a service manager to run.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    event::Event,
    output::journald,
    probe::{Without, watch::account},
    socket::{self, Feed},
    store::Store,
    watcher::Watcher,
};

/// Record what taints the kernel, until told to stop
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

/// By hooks; without them where the kernel has none to give, which is told in the first event.
fn begin(without: &Without) -> Result<Watcher> {
    match Watcher::hooked(without) {
        Ok(watcher) => Ok(watcher),
        Err(error) if !nix::unistd::geteuid().is_root() => Err(error.into()),
        Err(error) => Ok(Watcher::polled(&error)?),
    }
}

async fn record(args: &Args, db: &Path, out: &mut dyn Write) -> Result<u8> {
    let mut watcher = begin(&args.without)?;
    let mut recorder = Recorder {
        store: Store::create(db)?,
        feed: Feed::listen(&args.socket)?,
        journal: journald::is_there(),
    };
    writeln!(
        out,
        "taintwatch records to {}\n{}",
        db.display(),
        account(watcher.hooks())
    )?;
    if !recorder.journal {
        writeln!(
            out,
            "note: this machine has no journal; events go to the history alone"
        )?;
    }
    out.flush()?;
    let mut terminate = signal(SignalKind::terminate()).context("wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("wait for SIGINT")?;
    let reason = loop {
        tokio::select! {
            event = watcher.next() => recorder.record(event?)?,
            _ = terminate.recv() => break "stopped by SIGTERM",
            _ = interrupt.recv() => break "stopped by SIGINT",
        }
    };
    for event in watcher.end(reason) {
        recorder.record(event)?;
    }
    Ok(0)
}

/// Where a recorded event goes, the history first.
struct Recorder {
    store: Store,
    feed: Feed,
    journal: bool,
}

impl Recorder {
    fn record(&mut self, mut event: Event) -> Result<()> {
        self.store.append(&mut event)?;
        if self.journal
            && let Err(error) = journald::send(&event)
        {
            log::warn!("the journal did not take event {}: {error}", event.seq);
        }
        self.feed.publish(&event)
    }
}
