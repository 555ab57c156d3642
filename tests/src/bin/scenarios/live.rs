//! What a recorder says on its socket: an event is heard as soon as it is in the history.
//!
//! In: the socket of the recorder of a history. Out: its events in order. Without a recorder nothing is heard, and the
//! history itself must be asked.

use std::{
    cell::RefCell,
    io::{BufRead as _, BufReader},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// A connection to a recorder, made again when another recorder takes its place.
pub(crate) struct Live {
    socket: PathBuf,
    lines: RefCell<Option<Receiver<Value>>>,
    heard: RefCell<Vec<Value>>,
}

/// Where the recorder of a history has its socket.
pub(crate) fn socket_of(db: &str) -> String {
    format!("{db}.sock")
}

impl Live {
    pub(crate) fn of(db: &str) -> Self {
        let socket = PathBuf::from(socket_of(db));
        Self {
            lines: RefCell::new(connect(&socket)),
            heard: RefCell::default(),
            socket,
        }
    }

    /// A recorder is there.
    pub(crate) fn is_connected(&self) -> bool {
        self.take(Duration::ZERO);
        self.lines.borrow().is_some()
    }

    /// The first event that fits, when one is heard in time.
    pub(crate) fn find(&self, within: Duration, fits: impl Fn(&Value) -> bool) -> Option<Value> {
        let began = Instant::now();
        loop {
            if let Some(event) = self.heard.borrow().iter().find(|event| fits(event)) {
                return Some(event.clone());
            }
            let left = within.checked_sub(began.elapsed())?;
            if !self.take(left) {
                return None;
            }
        }
    }

    /// Waits until nothing is heard for so long.
    pub(crate) fn quiet(&self, pause: Duration) {
        while self.take(pause) {}
    }

    /// What was heard behind this place of the history; what was before is forgotten.
    pub(crate) fn after(&self, seq: u64) -> Vec<Value> {
        while self.take(Duration::ZERO) {}
        let mut heard = self.heard.borrow_mut();
        heard.retain(|event| event["seq"].as_u64() > Some(seq));
        heard.clone()
    }

    /// An event, or in `amended` one that was heard before, as it is now.
    fn hear(&self, mut line: Value) {
        let mut heard = self.heard.borrow_mut();
        if let Some(event) = line.get_mut("amended").map(Value::take) {
            let known = heard.iter_mut().find(|known| known["id"] == event["id"]);
            if let Some(known) = known {
                *known = event;
            }
        } else {
            heard.push(line);
        }
    }

    /// Takes one event; whether there was one in time.
    fn take(&self, within: Duration) -> bool {
        let mut lines = self.lines.borrow_mut();
        if lines.is_none() {
            *lines = connect(&self.socket);
        }
        let Some(receiver) = lines.as_ref() else {
            thread::sleep(within.min(Duration::from_millis(100)));
            return false;
        };
        match receiver.recv_timeout(within) {
            Ok(line) => {
                self.hear(line);
                true
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => {
                *lines = None;
                false
            }
        }
    }
}

/// Lines that are no event, such as how many were missed, are left out; `{"amended":EVENT}` is one.
fn connect(socket: &Path) -> Option<Receiver<Value>> {
    let stream = UnixStream::connect(socket).ok()?;
    let (send, lines) = mpsc::channel();
    thread::spawn(move || {
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        let lines = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        let is_event = |line: &Value| line["seq"].is_u64() || line["amended"]["seq"].is_u64();
        for line in lines.filter(is_event) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    Some(lines)
}
