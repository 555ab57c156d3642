//! `taintwatch tail`: the last events, then each as it happens.

use std::{
    io::{self, BufRead as _, BufReader, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};

use super::boots::{Boots, Chosen};
use crate::{
    baseline::Past,
    config,
    event::Event,
    kernel::identity::Identity,
    output::{event_line, json, layout::Layout},
    probe::Without,
    store::{DEFAULT_PATH, Filter, Store},
    watcher::{InOrder, Watcher},
};

/// Show the last events, then each as it happens
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many past events to show first
    #[arg(short = 'n', value_name = "N", default_value_t = 10)]
    number: usize,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    boots: Boots,
    /// Print events as JSON, one a line
    #[arg(long)]
    json: bool,
    /// Where the daemon listens [default: that of the configuration, or /run/taintwatch/events.sock]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    #[command(flatten)]
    without: Without,
}

/// What is shown.
struct Tail<'a> {
    args: &'a Args,
    /// None: every boot.
    boots: Option<Chosen>,
}

impl Tail<'_> {
    fn passes(&self, event: &Event) -> bool {
        let of_boot = self.boots.as_ref().is_none_or(|boots| boots.has(event));
        of_boot && self.args.filter.passes(event)
    }

    /// The last events of the history that pass.
    fn past(&self, store: &Store) -> Result<Vec<Event>> {
        let number = self.args.number;
        let Some(boots) = &self.boots else {
            return Ok(store.events(&self.args.filter, Some(number))?);
        };
        let mut events = store.events(&self.args.filter, None)?;
        events.retain(|event| boots.has(event));
        events.drain(..events.len().saturating_sub(number));
        Ok(events)
    }
}

/// Whether there is a history to read; the usual one may be missing.
fn has_history(db: &Path) -> bool {
    db.exists() || db != Path::new(DEFAULT_PATH)
}

/// Follows the daemon, or monitors by itself where there is none. Of a boot that is over, nothing more comes.
pub fn run(args: &Args, db: &Path, out: &mut dyn Write) -> Result<u8> {
    let boots = if has_history(db) {
        args.boots.of(&Store::open(db)?)?
    } else {
        args.boots.without_history()?;
        None
    };
    let goes_on = boots.as_ref().is_none_or(Chosen::has_current);
    let tail = Tail { args, boots };
    if !goes_on {
        let store = Store::open(db)?;
        for event in tail.past(&store)? {
            print(args, &event, out)?;
        }
        store.warn_of_unread();
        return Ok(0);
    }
    follow_or_monitor(&tail, db, out)
}

fn follow_or_monitor(tail: &Tail<'_>, db: &Path, out: &mut dyn Write) -> Result<u8> {
    let args = tail.args;
    let socket = match &args.socket {
        Some(named) => named.clone(),
        None => config::load_or_default(None)?.socket.path,
    };
    match UnixStream::connect(&socket) {
        Ok(stream) => follow(tail, db, stream, out),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(error).with_context(|| {
                format!(
                    "read {}: become root or a member of the group taintwatch",
                    socket.display()
                )
            })
        }
        Err(_no_daemon) => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(monitor(tail, db, out))
        }
    }
}

/// What the history has after the last event that was printed comes first: the daemon sends only what it records while
/// a reader is connected, and a slow reader misses some.
fn follow(tail: &Tail<'_>, db: &Path, stream: UnixStream, out: &mut dyn Write) -> Result<u8> {
    let args = tail.args;
    let store = Store::open(db)?;
    // Read before the events are: what is recorded in between comes with them, or after.
    let mut last = store.last_seq()?;
    let events = tail.past(&store)?;
    store.warn_of_unread();
    for event in events {
        last = last.max(event.seq);
        print(args, &event, out)?;
    }
    out.flush()?;
    for line in BufReader::new(stream).lines() {
        let line = line.context("read from the daemon")?;
        let event = serde_json::from_str::<Event>(&line).ok();
        if let Some(waiting) = waiting(&line) {
            log::warn!(
                "the daemon cannot write the history ({waiting} events wait; the journal has them): what happens is \
                 shown when it can"
            );
        }
        // Without a number it announces events that were missed.
        let next = event.as_ref().map_or(u64::MAX, |event| event.seq);
        if next > last.saturating_add(1) {
            last = catch_up(tail, &store, last, out)?;
        }
        if let Some(event) = event.filter(|event| event.seq > last) {
            last = event.seq;
            if tail.passes(&event) {
                print(args, &event, out)?;
            }
        }
        out.flush()?;
    }
    catch_up(tail, &store, last, out)?;
    anyhow::bail!(
        "the daemon went away: the history has what it recorded; `taintwatch daemon` records on"
    )
}

/// How many events the daemon says to wait for the history, if any do.
fn waiting(line: &str) -> Option<u64> {
    let said: serde_json::Value = serde_json::from_str(line).ok()?;
    said.get("waiting")?.as_u64().filter(|waiting| *waiting > 0)
}

/// Prints what was recorded after an event; gives the last.
fn catch_up(tail: &Tail<'_>, store: &Store, last: u64, out: &mut dyn Write) -> Result<u64> {
    let mut now = last;
    let events = store.after(last)?;
    store.warn_of_unread();
    for event in events {
        now = event.seq;
        if tail.passes(&event) {
            print(tail.args, &event, out)?;
        }
    }
    out.flush()?;
    Ok(now)
}

/// The last of the history, where there is one, and what this process sees itself. Those events are in no history: they
/// have no number.
async fn monitor(tail: &Tail<'_>, db: &Path, out: &mut dyn Write) -> Result<u8> {
    let args = tail.args;
    // Once, before anything is printed: a listener for each event would miss what comes between two.
    let mut interrupt = signal(SignalKind::interrupt()).context("wait for SIGINT")?;
    let mut watcher = match Watcher::hooked(&args.without, None) {
        Ok(watcher) => watcher,
        Err(error) => Watcher::polled(&error)?,
    };
    let (recorded, own) = if has_history(db) {
        let store = Store::open(db)?;
        let own = store.of_boot(&Identity::read()?.boot_id)?;
        let recorded = tail.past(&store)?;
        store.warn_of_unread();
        (recorded, own)
    } else {
        (Vec::new(), Vec::new())
    };
    for event in &recorded {
        print(args, event, out)?;
    }
    out.flush()?;
    let more = args.number.saturating_sub(recorded.len());
    watcher.explain_before(Past::of(&own, 0), more);
    let mut passing = InOrder::new(watcher.completer());
    loop {
        tokio::select! {
            event = watcher.next() => passing.push(event?, ()),
            () = passing.due() => {}
            _ = interrupt.recv() => return Ok(0),
        }
        while let Some(passed) = passing.pass() {
            // What is known later is not shown: it would be the same event again.
            if !passed.is_amendment && tail.passes(&passed.event) {
                print(args, &passed.event, out)?;
                out.flush()?;
            }
        }
    }
}

fn print(args: &Args, event: &Event, out: &mut dyn Write) -> Result<()> {
    if args.json {
        return Ok(json::line(event, out)?);
    }
    let mut layout = Layout::for_stdout();
    if layout.is_terminal() {
        event_line::paragraph(event, &mut layout);
        return Ok(write!(out, "{}", layout.text())?);
    }
    Ok(writeln!(out, "{}", event_line::line(event))?)
}
