//! Where a run's events come from: the daemon's socket, or hooks of its own.
//!
//! In: the socket, or the kernel. Out: events in their order, gaps, and whether all up to now is there. Waiting for an
//! event can be stopped at any time without losing one.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::{
    event::{CoverageState, Event, Kind},
    probe::Without,
    socket::{SYNC, Synced},
    store::Store,
    verdict::{Judge, Monitor},
    watcher::{Complete, Completer, Watcher},
};

/// The daemon answers within a second; a slow console can delay it for five.
const PATIENCE: Duration = Duration::from_mins(1);

/// A monitor.
pub(super) enum Source {
    Daemon(Reader),
    Own(Box<Watcher>),
}

/// A reader of the daemon's socket.
pub(super) struct Reader {
    lines: Lines<BufReader<OwnedReadHalf>>,
    out: OwnedWriteHalf,
    /// Where events are that the socket had no room for.
    db: PathBuf,
    last: u64,
}

/// What a source gives.
pub(super) enum Heard {
    Event(Box<Event>),
    Several(Vec<Event>),
    /// An event that was given before, with more in it.
    Amended(Box<Event>),
    Gap(String),
    Synced(Synced),
    Nothing,
    /// No more comes.
    End(String),
}

impl Source {
    /// The daemon's events where one listens, else those of hooks that are attached now.
    pub(super) async fn begin(socket: &Path, db: &Path, without: &Without) -> Result<Self> {
        match UnixStream::connect(socket).await {
            Ok(stream) => {
                let (input, out) = stream.into_split();
                Ok(Self::Daemon(Reader {
                    lines: BufReader::new(input).lines(),
                    out,
                    db: db.to_owned(),
                    last: u64::MAX,
                }))
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                Err(error).with_context(|| {
                    format!(
                        "read {}: become root or a member of the group taintwatch",
                        socket.display()
                    )
                })
            }
            Err(_no_daemon) => Self::own(without),
        }
    }

    /// Hooks that are attached now; without any, root reads the mask and the log.
    pub(super) fn own(without: &Without) -> Result<Self> {
        Ok(Self::Own(Box::new(match Watcher::hooked(without, None) {
            Ok(watcher) => watcher,
            Err(error) if !nix::unistd::geteuid().is_root() => return Err(error.into()),
            Err(error) => Watcher::polled(&error)?,
        })))
    }

    pub(super) const fn monitor(&self) -> Monitor {
        match self {
            Self::Daemon(_) => Monitor::Daemon,
            Self::Own(_) => Monitor::Itself,
        }
    }

    /// What comes next; waits for it.
    pub(super) async fn next(&mut self) -> Result<Heard> {
        match self {
            Self::Daemon(reader) => reader.next().await,
            Self::Own(watcher) => Ok(Heard::Event(Box::new(watcher.next().await?))),
        }
    }

    /// Adds to an event what takes time.
    pub(super) fn complete(&mut self, event: &mut Event) {
        if let Self::Own(watcher) = self {
            complete(&mut watcher.completer(), event);
        }
    }

    /// Leaves behind what happened before: what comes from now on is of the run. Says what is not seen from the beginning.
    pub(super) async fn start(&mut self, judge: &mut Judge) -> Result<()> {
        match self {
            Self::Daemon(reader) => {
                let synced = reader.sync(|_| {}).await?;
                standing(&synced, judge);
            }
            Self::Own(watcher) => {
                for event in watcher.caught_up().await? {
                    if event.kind == Kind::Coverage {
                        judge.event(event);
                    }
                }
            }
        }
        Ok(())
    }

    /// All that happened until now; an error says why that cannot be had.
    pub(super) async fn finish(self, judge: &mut Judge) -> Result<()> {
        match self {
            Self::Daemon(mut reader) => {
                let synced = reader.sync(|heard| take(judge, heard)).await?;
                standing(&synced, judge);
            }
            Self::Own(watcher) => {
                let mut watcher = watcher;
                for mut event in watcher.caught_up().await? {
                    complete(&mut watcher.completer(), &mut event);
                    judge.event(event);
                }
                let is_end = |event: &Event| {
                    let coverage = event.coverage.as_ref();
                    coverage.is_some_and(|coverage| coverage.state == CoverageState::Ended)
                };
                let rest = watcher.end("the command ended").into_iter();
                rest.filter(|event| !is_end(event))
                    .for_each(|event| judge.event(event));
            }
        }
        Ok(())
    }
}

/// Adds what takes time: what files say is there within a moment, or not at all.
fn complete(completer: &mut Completer, event: &mut Event) {
    /// A file system that does not answer by then is not waited for.
    const PATIENCE: Duration = Duration::from_secs(2);
    const PAUSE: Duration = Duration::from_millis(20);
    let began = Instant::now();
    while !completer.complete(event).is_whole && began.elapsed() < PATIENCE {
        sleep(PAUSE);
    }
}

/// Hands on what a source gave.
pub(super) fn take(judge: &mut Judge, heard: Heard) {
    match heard {
        Heard::Event(event) => judge.event(*event),
        Heard::Amended(event) => judge.amend(*event),
        Heard::Several(events) => events.into_iter().for_each(|event| judge.event(event)),
        Heard::Gap(what) | Heard::End(what) => judge.gap(what),
        Heard::Synced(_) | Heard::Nothing => {}
    }
}

fn standing(synced: &Synced, judge: &mut Judge) {
    let standing = &synced.synced;
    if standing.state != CoverageState::Began {
        judge.gap(format!("monitoring is degraded: {}", standing.reason));
    }
    if standing.waiting > 0 {
        let waiting = standing.waiting;
        judge.gap(format!(
            "the daemon cannot write the history: {waiting} events wait for that"
        ));
    }
}

impl Reader {
    async fn next(&mut self) -> Result<Heard> {
        let line = self
            .lines
            .next_line()
            .await
            .context("read from the daemon")?;
        Ok(line.map_or_else(
            || Heard::End("the daemon went away".to_owned()),
            |line| self.hear(&line),
        ))
    }

    fn hear(&mut self, line: &str) -> Heard {
        if let Ok(event) = serde_json::from_str::<Event>(line) {
            // What the history gave already comes again after a gap.
            let is_new = self.last == u64::MAX || event.seq > self.last;
            self.last = event.seq;
            return if is_new {
                Heard::Event(Box::new(event))
            } else {
                Heard::Nothing
            };
        }
        if let Ok(synced) = serde_json::from_str(line) {
            return Heard::Synced(synced);
        }
        let mut said: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        let amended = said.get_mut("amended").map(serde_json::Value::take);
        if let Some(Ok(event)) = amended.map(serde_json::from_value) {
            return Heard::Amended(Box::new(event));
        }
        match said.get("missed").and_then(serde_json::Value::as_u64) {
            Some(missed) => self.catch_up(missed),
            None => Heard::Nothing,
        }
    }

    /// Events that the socket had no room for are in the history.
    fn catch_up(&mut self, missed: u64) -> Heard {
        let read = || Store::open(&self.db)?.after(self.last);
        match read() {
            Ok(events) if self.last != u64::MAX => {
                self.last = events.last().map_or(self.last, |event| event.seq);
                Heard::Several(events)
            }
            Ok(_) => Heard::Gap(format!("{missed} events were not received")),
            Err(error) => Heard::Gap(format!("{missed} events were not received: {error}")),
        }
    }

    /// Waits until all that happened is recorded; what comes meanwhile is handed on.
    async fn sync(&mut self, mut other: impl FnMut(Heard)) -> Result<Synced> {
        self.out.write_all(SYNC).await.context("ask the daemon")?;
        let answer = async {
            loop {
                match self.next().await? {
                    Heard::Synced(synced) => return Ok(synced),
                    Heard::End(why) => bail!("{why}: start the run again when it is there"),
                    heard => other(heard),
                }
            }
        };
        tokio::time::timeout(PATIENCE, answer)
            .await
            .map_err(|_late| anyhow::anyhow!("the daemon does not say whether all is recorded: is it an older version, or stuck?"))?
    }
}
