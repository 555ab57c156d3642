//! `taintwatch tail`: the last events, then each as it happens.

use std::{
    io::{self, BufRead as _, BufReader, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    baseline::Past,
    event::Event,
    output::{human, json},
    probe::Without,
    socket,
    store::{Filter, Store},
    watcher::Watcher,
};

/// Show the last events, then each as it happens
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many past events to show first
    #[arg(short = 'n', value_name = "N", default_value_t = 10)]
    number: usize,
    #[command(flatten)]
    filter: Filter,
    /// Print events as JSON, one a line
    #[arg(long)]
    json: bool,
    /// Where the daemon listens
    #[arg(long, value_name = "PATH", default_value = socket::DEFAULT_PATH)]
    socket: PathBuf,
    #[command(flatten)]
    without: Without,
}

/// Follows the daemon, or watches by itself where there is none.
pub fn run(args: &Args, db: &Path, out: &mut dyn Write) -> Result<u8> {
    match UnixStream::connect(&args.socket) {
        Ok(stream) => follow(args, db, stream, out),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(error).with_context(|| {
                format!(
                    "read {}: become root or a member of the group taintwatch",
                    args.socket.display()
                )
            })
        }
        Err(_no_daemon) => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(watch(args, out))
        }
    }
}

/// Connected first and read after: an event in between comes twice, and is printed once.
fn follow(args: &Args, db: &Path, stream: UnixStream, out: &mut dyn Write) -> Result<u8> {
    let mut printed = 0;
    for event in Store::open(db)?.events(&args.filter, Some(args.number))? {
        printed = event.seq;
        print(args, &event, out)?;
    }
    out.flush()?;
    for line in BufReader::new(stream).lines() {
        let line = line.context("read from the daemon")?;
        let Ok(event) = serde_json::from_str::<Event>(&line) else {
            writeln!(
                io::stderr(),
                "taintwatch: this reader is too slow; the history has what it missed: {line}"
            )?;
            continue;
        };
        if event.seq > printed && args.filter.passes(&event) {
            print(args, &event, out)?;
            out.flush()?;
        }
    }
    anyhow::bail!("the daemon went away; see `systemctl status taintwatch`")
}

async fn watch(args: &Args, out: &mut dyn Write) -> Result<u8> {
    // Once, before anything is printed: a listener for each event would miss what comes between two.
    let mut interrupt = signal(SignalKind::interrupt()).context("wait for SIGINT")?;
    let mut watcher = match Watcher::hooked(&args.without) {
        Ok(watcher) => watcher,
        Err(error) => Watcher::polled(&error)?,
    };
    watcher.explain_before(Past::default(), args.number);
    let mut seq = 0;
    loop {
        let mut event = tokio::select! {
            event = watcher.next() => event?,
            _ = interrupt.recv() => return Ok(0),
        };
        seq += 1;
        event.seq = seq;
        if args.filter.passes(&event) {
            print(args, &event, out)?;
            out.flush()?;
        }
    }
}

fn print(args: &Args, event: &Event, out: &mut dyn Write) -> Result<()> {
    if args.json {
        return Ok(json::line(event, out)?);
    }
    Ok(writeln!(out, "{}", human::line(event))?)
}
