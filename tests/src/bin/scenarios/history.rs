//! What taintwatch stored, as its own commands give it.
//!
//! In: the store, the recorder's socket. Out: events. The socket says when there is something to look at; each report
//! is held against what the socket said, word for word.

use std::{
    cell::Cell,
    collections::HashSet,
    fs,
    path::PathBuf,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use nix::errno::Errno;
use serde_json::Value;

use crate::{live::Live, loading::load_file, schema};

/// Emulated processors are slow, and may share theirs; nothing here takes half of this.
const PATIENCE: Duration = Duration::from_mins(1);
/// Without an event for so long, none is on its way.
const QUIET: Duration = Duration::from_millis(250);
/// What the socket does not say in this time is looked for in the history.
const HEARD: Duration = Duration::from_secs(1);

/// The recorder reads counts and the mask so often while something happens, and a little more.
const LOOKS: Duration = Duration::from_millis(1500);
/// Files that the kernel refuses to load, each with a number: the event of one is a mark in the history.
const MARKER: &str = "/tmp/marker";

/// The history as `taintwatch report` gives it.
pub(crate) struct History {
    pub(crate) seen: u64,
    pub(crate) db: PathBuf,
    /// How many calls a storm makes.
    pub(crate) calls: u64,
    /// How many marks were made.
    marks: Cell<u32>,
    live: Live,
}

impl History {
    pub(crate) fn of(db: &str) -> Self {
        Self {
            seen: 0,
            db: db.into(),
            calls: 0,
            marks: Cell::new(0),
            live: Live::of(db),
        }
    }

    pub(crate) fn all(&self) -> Result<Vec<Value>> {
        let output = Command::new("taintwatch")
            .arg("--db")
            .arg(&self.db)
            .args(["report", "--json"])
            .output()?;
        ensure!(
            output.status.success(),
            "report: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout)?;
        let events = text.lines().map(|line| Ok(serde_json::from_str(line)?));
        let events: Vec<Value> = events.collect::<Result<_>>()?;
        schema::check(&events)?;
        let ids: HashSet<_> = events.iter().map(|event| event["id"].as_str()).collect();
        ensure!(
            ids.len() == events.len() && !ids.contains(&None),
            "{} events have {} ids",
            events.len(),
            ids.len()
        );
        Ok(events)
    }

    /// Events of this scenario so far.
    pub(crate) fn new_events(&self) -> Result<Vec<Value>> {
        let mut events = self.everything_new()?;
        events.retain(|event| !is_marker(event));
        Ok(events)
    }

    /// With those of markers. The socket says nothing else; between two looks an event may have been amended.
    fn everything_new(&self) -> Result<Vec<Value>> {
        let mut unlike = None;
        for _look in 0..3 {
            let heard = self.live.after(self.seen);
            let is_new = |event: &Value| event["seq"].as_u64() > Some(self.seen);
            let events: Vec<_> = self.all()?.into_iter().filter(is_new).collect();
            unlike = heard.into_iter().find(|event| !events.contains(event));
            if unlike.is_none() {
                return Ok(events);
            }
            sleep(QUIET);
        }
        bail!("the socket said what the history does not have: {unlike:?}")
    }

    /// Events of this scenario, when no more come.
    pub(crate) fn settled(&self) -> Result<Vec<Value>> {
        // Only a first look: on a machine that has much to do, events come later than that.
        if self.live.is_connected() {
            self.live.quiet(QUIET);
        }
        let mut before = None;
        loop {
            let events = self.new_events()?;
            if before == Some(events.len()) {
                return Ok(events);
            }
            before = Some(events.len());
            sleep(QUIET);
        }
    }

    /// Events of this scenario, when the recorder has read its counts and the mask again: from here on an event that is
    /// not there will not come. Of a recorder with the hooks of the loader.
    pub(crate) fn complete(&self) -> Result<Vec<Value>> {
        // It reads them when it takes a record, if it did not within the last second (`BUSY` in the watcher): so it has
        // between the first two.
        for pause in [Duration::ZERO, LOOKS, Duration::ZERO] {
            sleep(pause);
            self.mark()?;
        }
        self.settled()
    }

    /// Events of this scenario, those of all that was done before this call.
    pub(crate) fn passed(&self) -> Result<Vec<Value>> {
        self.mark()?;
        self.settled()
    }

    /// Events of this scenario, after the time in which a recorder without hooks reads the mask and the log.
    pub(crate) fn later(&self) -> Result<Vec<Value>> {
        sleep(2 * LOOKS);
        self.settled()
    }

    /// Does something that is recorded and taints nothing, and waits for its event.
    fn mark(&self) -> Result<()> {
        /// A full ring may have no room for the record of the file, and then one more is needed.
        const AGAIN: Duration = Duration::from_secs(5);
        let number = self.marks.get() + 1;
        self.marks.set(number);
        let marker = format!("{MARKER}-{number}");
        fs::write(&marker, "no module")?;
        let began = Instant::now();
        for tries in 1.. {
            refused_marker(&marker)?;
            while began.elapsed() < tries * AGAIN {
                if self.is_recorded(&marker)? {
                    fs::remove_file(&marker)?;
                    return Ok(());
                }
            }
            ensure!(began.elapsed() < PATIENCE, "the marker is not recorded");
        }
        Ok(())
    }

    /// Waits a while for the event of a marker: on the socket, and without a recorder that listens there, in the history.
    fn is_recorded(&self, marker: &str) -> Result<bool> {
        let is_it = |event: &Value| event["module"]["path"] == marker;
        if self.live.find(HEARD, is_it).is_some() {
            return Ok(true);
        }
        Ok(self.everything_new()?.iter().any(is_it))
    }

    pub(crate) fn catch_up(&mut self) -> Result<()> {
        self.seen = self
            .all()?
            .iter()
            .filter_map(|event| event["seq"].as_u64())
            .max()
            .unwrap_or(0);
        Ok(())
    }

    /// Waits for an event with every one of these values, by JSON pointer.
    pub(crate) fn expect(&self, wanted: &[(&str, Value)]) -> Result<Value> {
        self.expect_within(PATIENCE, wanted)
    }

    pub(crate) fn expect_within(
        &self,
        patience: Duration,
        wanted: &[(&str, Value)],
    ) -> Result<Value> {
        let began = Instant::now();
        let seen = self.seen;
        let fits = |event: &Value| {
            event["seq"].as_u64() > Some(seen)
                && wanted
                    .iter()
                    .all(|(at, value)| event.pointer(at) == Some(value))
        };
        loop {
            if let Some(event) = self.live.find(HEARD.min(patience), fits) {
                return Ok(event);
            }
            let mut events = self.new_events()?;
            if let Some(place) = events.iter().position(fits) {
                return self.amended(events.swap_remove(place));
            }
            if began.elapsed() > patience {
                let stored: Vec<_> = events.iter().map(Value::to_string).collect();
                let stored = stored.join("\n");
                bail!("no event with {wanted:?}; there are:\n{stored}");
            }
        }
    }

    /// An event of the history, when what takes time is added to it: then the socket says it, unless it was said before
    /// anybody listened here.
    fn amended(&self, event: Value) -> Result<Value> {
        let is_it = |other: &Value| other["id"] == event["id"];
        if self.live.is_connected()
            && let Some(said) = self.live.find(5 * HEARD, is_it)
        {
            return Ok(said);
        }
        let mut events = self.new_events()?.into_iter();
        Ok(events.find(|other| is_it(other)).unwrap_or(event))
    }

    /// A taint event by its letter, its class, and the module that it must name, or none.
    pub(crate) fn taint(&self, letter: &str, class: &str, module: Option<&str>) -> Result<Value> {
        let mut wanted = vec![
            ("/kind", "taint".into()),
            ("/taint/letter", letter.into()),
            ("/cause/class", class.into()),
            ("/cause/confidence", "observed".into()),
        ];
        wanted.extend(module.map(|name| ("/module/name", name.into())));
        let event = self.expect(&wanted)?;
        ensure!(
            module.is_some() || event.get("module").is_none(),
            "an innocent module is named: {event}"
        );
        Ok(event)
    }
}

/// Under lockdown a file without a signature is refused before it is looked at.
fn refused_marker(marker: &str) -> Result<()> {
    let refused = load_file(marker, "");
    let is_refused = matches!(refused, Err(Errno::ENOEXEC | Errno::EPERM));
    ensure!(is_refused, "the marker: {refused:?}");
    Ok(())
}

fn is_marker(event: &Value) -> bool {
    let path = event["module"]["path"].as_str().unwrap_or_default();
    event["kind"] == "module_load_failed" && path.starts_with(MARKER)
}
