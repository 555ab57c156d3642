//! The daemon's socket: every event as a JSON line to each connected reader.
//!
//! In: recorded events. Out: lines. A reader that falls behind gets the number of events that it missed;
//! they are in the history. A reader that writes `sync` gets, behind the events of all that happened until then, one line
//! with the state of the monitoring.

use std::{
    fs, io,
    os::unix::{fs::FileTypeExt as _, net},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    sync::{
        Semaphore,
        broadcast::{
            self,
            error::{RecvError, TryRecvError},
        },
        mpsc, oneshot,
    },
};

use crate::{
    event::{CoverageState, Event},
    store::access,
};

/// Where the daemon listens.
pub const DEFAULT_PATH: &str = "/run/taintwatch/events.sock";
/// The group that may read, where the machine has it.
pub const DEFAULT_GROUP: &str = access::GROUP;
/// Readers at once: each takes a descriptor of the recorder's.
const READERS: usize = 128;
/// Events kept for a slow reader.
const BACKLOG: usize = 1024;

/// What a reader writes to learn when all that happened is recorded.
pub const SYNC: &[u8; 5] = b"sync\n";

/// The state of the monitoring, when all that happened until then is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Of the last event of the coverage.
    pub state: CoverageState,
    pub reason: String,
    /// Events that wait for the history to be written.
    pub waiting: usize,
}

/// The line that answers `sync`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Synced {
    pub synced: Standing,
}

/// A reader that waits for the answer.
#[derive(Debug)]
pub struct Request(oneshot::Sender<Standing>);

impl Request {
    /// Answers, behind all that was published before.
    pub fn answer(self, standing: Standing) {
        // An error only means that the reader is gone.
        _ = self.0.send(standing);
    }
}

/// What else hears of each event when it is in the history.
pub type Listener = Box<dyn Fn(&Event, usize)>;

/// The sending side.
pub struct Feed {
    listeners: Vec<Listener>,
    waiting: usize,
    events: broadcast::Sender<Arc<str>>,
    requests: Option<mpsc::Receiver<Request>>,
    path: PathBuf,
    is_waiting: bool,
}

impl Feed {
    /// Listens at `path`, for root and a group; a socket that an earlier daemon left is replaced, one in use is not.
    pub fn listen(path: &Path, group: &str) -> Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| folder.as_os_str() != "") {
            access::folder(folder, false).with_context(|| format!("make {}", folder.display()))?;
        }
        if net::UnixStream::connect(path).is_ok() {
            anyhow::bail!(
                "another taintwatch daemon listens at {}: stop it first",
                path.display()
            );
        }
        let is_other = fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket());
        anyhow::ensure!(
            !is_other,
            "{} is no socket: give another path to --socket",
            path.display()
        );
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error)
                    .with_context(|| format!("remove the stale socket {}", path.display()));
            }
            _ => {}
        }
        let listener =
            UnixListener::bind(path).with_context(|| format!("listen at {}", path.display()))?;
        access::socket(path, group)
            .with_context(|| format!("say who may read {}", path.display()))?;
        let (events, _) = broadcast::channel(BACKLOG);
        // Each reader has one at the most.
        let (asked, requests) = mpsc::channel(READERS);
        tokio::spawn(accept(listener, events.clone(), asked));
        Ok(Self {
            events,
            requests: Some(requests),
            listeners: Vec::new(),
            waiting: 0,
            path: path.to_owned(),
            is_waiting: false,
        })
    }

    /// The readers that ask whether all is recorded; once.
    pub fn take_requests(&mut self) -> Option<mpsc::Receiver<Request>> {
        self.requests.take()
    }

    /// Calls this with each event, and how many wait for the history: it must not wait for anything.
    pub fn listen_in(&mut self, listener: Listener) {
        self.listeners.push(listener);
    }

    /// Sends an event to every connected reader.
    pub fn publish(&self, event: &Event) {
        for listener in &self.listeners {
            listener(event, self.waiting);
        }
        match serde_json::to_string(event) {
            Ok(line) => self.send(line),
            Err(error) => log::warn!("event {} is no JSON: {error}", event.id),
        }
    }

    /// Sends an event again, with what was found out since: in a member `amended`.
    pub fn amend(&self, event: &Event) {
        match serde_json::to_string(event) {
            Ok(line) => self.send(format!("{{\"amended\":{line}}}")),
            Err(error) => log::warn!("event {} is no JSON: {error}", event.id),
        }
    }

    /// Says that so many events wait to be recorded, or that none does any more; each once.
    pub fn announce(&mut self, waiting: usize) {
        self.waiting = waiting;
        if self.is_waiting != (waiting > 0) {
            self.is_waiting = waiting > 0;
            self.send(format!("{{\"waiting\":{waiting}}}"));
        }
    }

    fn send(&self, line: String) {
        // An error only means that no reader is connected.
        _ = self.events.send((line + "\n").into());
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            log::debug!("remove {}: {error}", self.path.display());
        }
    }
}

async fn accept(
    listener: UnixListener,
    events: broadcast::Sender<Arc<str>>,
    requests: mpsc::Sender<Request>,
) {
    let permits = Arc::new(Semaphore::new(READERS));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
                    log::warn!("a reader was turned away: {READERS} are connected");
                    continue;
                };
                let (events, requests) = (events.subscribe(), requests.clone());
                tokio::spawn(async move {
                    serve(stream, events, requests).await;
                    drop(permit);
                });
            }
            Err(error) => {
                log::warn!("a reader could not connect: {error}");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

/// Sends events until the reader disconnects, which is noticed also while there is no event.
async fn serve(
    mut stream: UnixStream,
    mut events: broadcast::Receiver<Arc<str>>,
    requests: mpsc::Sender<Request>,
) {
    let (mut input, mut out) = stream.split();
    let mut asked = Asked::default();
    let mut buffer = [0; 64];
    loop {
        let lines = tokio::select! {
            event = events.recv() => match event {
                Ok(line) => line.to_string(),
                Err(RecvError::Lagged(missed)) => missed_line(missed),
                Err(RecvError::Closed) => return,
            },
            standing = asked.answer() => rest(&mut events) + &synced_line(standing),
            read = input.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return,
                Ok(len) => {
                    asked.hear(buffer.get(..len).unwrap_or_default(), &requests);
                    continue;
                }
            },
        };
        if out.write_all(lines.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// What one reader asked, if it did: one question at a time, whatever else it sends.
#[derive(Default)]
struct Asked {
    last: [u8; SYNC.len()],
    waits: Option<oneshot::Receiver<Standing>>,
}

impl Asked {
    fn hear(&mut self, bytes: &[u8], requests: &mpsc::Sender<Request>) {
        for byte in bytes {
            self.last.rotate_left(1);
            if let Some(end) = self.last.last_mut() {
                *end = *byte;
            }
            if self.last == *SYNC && self.waits.is_none() {
                let (answer, waits) = oneshot::channel();
                if requests.try_send(Request(answer)).is_ok() {
                    self.waits = Some(waits);
                }
            }
        }
    }

    /// The answer; none comes where nothing was asked, or the daemon ends.
    async fn answer(&mut self) -> Standing {
        if let Some(waits) = &mut self.waits {
            let answered = waits.await;
            self.waits = None;
            if let Ok(standing) = answered {
                return standing;
            }
        }
        std::future::pending().await
    }
}

/// What was published and is not sent yet.
fn rest(events: &mut broadcast::Receiver<Arc<str>>) -> String {
    let mut lines = String::new();
    loop {
        match events.try_recv() {
            Ok(line) => lines += &line,
            Err(TryRecvError::Lagged(missed)) => lines += &missed_line(missed),
            Err(TryRecvError::Empty | TryRecvError::Closed) => return lines,
        }
    }
}

fn missed_line(missed: u64) -> String {
    format!("{{\"missed\":{missed}}}\n")
}

fn synced_line(synced: Standing) -> String {
    // A state and numbers are always JSON.
    serde_json::to_string(&Synced { synced }).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncBufReadExt as _;

    use super::*;

    #[tokio::test]
    async fn the_task_of_a_reader_ends_when_it_disconnects() {
        let (reader, stream) = UnixStream::pair().unwrap();
        let (events, receiver) = broadcast::channel(1);
        let served = tokio::spawn(serve(stream, receiver, mpsc::channel(1).0));
        drop(reader);
        let ended = tokio::time::timeout(std::time::Duration::from_secs(5), served).await;
        assert!(ended.is_ok(), "it still waits for an event");
        drop(events);
    }

    #[tokio::test]
    async fn a_slow_reader_learns_how_many_it_missed_and_what_it_sends_is_ignored() {
        let (mut reader, stream) = UnixStream::pair().unwrap();
        let (events, receiver) = broadcast::channel::<Arc<str>>(4);
        reader.write_all(b"\0garbage\n").await.unwrap();
        for number in 0..10 {
            events.send(format!("{number}\n").into()).unwrap();
        }
        tokio::spawn(serve(stream, receiver, mpsc::channel(1).0));
        let expected = "{\"missed\":6}\n6\n7\n8\n9\n";
        let mut text = vec![0; expected.len()];
        reader.read_exact(&mut text).await.unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), expected);
        drop(events);
    }

    #[tokio::test]
    async fn the_answer_comes_behind_what_was_published_before_it() {
        let (reader, stream) = UnixStream::pair().unwrap();
        let (events, receiver) = broadcast::channel::<Arc<str>>(4);
        let (asked, mut requests) = mpsc::channel(1);
        let served = tokio::spawn(serve(stream, receiver, asked));
        let mut reader = tokio::io::BufReader::new(reader);
        reader.write_all(b"\0sysync\nsync\n").await.unwrap();
        let request = requests.recv().await.unwrap();
        for number in 0..6 {
            events.send(format!("{number}\n").into()).unwrap();
        }
        let standing = Standing {
            state: CoverageState::Began,
            reason: "x".to_owned(),
            waiting: 0,
        };
        request.answer(standing.clone());
        let mut lines = reader.lines();
        for expected in ["{\"missed\":2}", "2", "3", "4", "5"] {
            assert_eq!(lines.next_line().await.unwrap().unwrap(), expected);
        }
        let last = lines.next_line().await.unwrap().unwrap();
        let synced: Synced = serde_json::from_str(&last).unwrap();
        assert_eq!(synced.synced, standing);
        assert!(requests.try_recv().is_err(), "a second one while it waits");
        drop(lines);
        served.await.unwrap();
    }

    #[tokio::test]
    async fn readers_learn_once_that_events_wait() {
        let folder = tempfile::tempdir().unwrap();
        let mut feed = Feed::listen(&folder.path().join("socket"), DEFAULT_GROUP).unwrap();
        let mut events = feed.events.subscribe();
        for waiting in [0, 3, 4, 0, 0] {
            feed.announce(waiting);
        }
        drop(feed);
        let mut said = Vec::new();
        while let Ok(line) = events.try_recv() {
            said.push(line.to_string());
        }
        assert_eq!(said, ["{\"waiting\":3}\n", "{\"waiting\":0}\n"]);
    }

    #[tokio::test]
    async fn what_is_no_socket_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("precious");
        fs::write(&file, b"x").unwrap();
        assert!(Feed::listen(&file, DEFAULT_GROUP).is_err());
        assert_eq!(fs::read(&file).unwrap(), b"x");
    }
}
