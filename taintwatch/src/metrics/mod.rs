//! Where metrics go: a file for node_exporter, and an HTTP endpoint on this machine.
//!
//! In: events, when they are recorded. Out: the text of `output::metrics`. Both are written by threads of their own: the
//! recorder only adds to numbers under a lock that is held for no longer than it takes to copy them.

mod http;
mod textfile;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use anyhow::{Context as _, Result};

use crate::{
    event::Event,
    kernel::{
        identity::{self, boottime_ns, wall_clock},
        mask, os_release,
    },
    output::metrics::{About, State, text},
    taint::tables::LINUX,
};

/// Where they are to go; nowhere by default.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub textfile: Option<PathBuf>,
    pub listen: Option<SocketAddr>,
}

/// What both read.
struct Shared {
    state: Mutex<State>,
    is_running: AtomicBool,
}

impl Shared {
    fn text(&self) -> Result<String> {
        let state = self.lock().clone();
        let about = About {
            mask: mask::read().ok(),
            table: os_release::vendor_table().unwrap_or(LINUX),
            kernel: identity::release().unwrap_or_default(),
            now: wall_clock(boottime_ns()),
            is_running: self.is_running.load(Ordering::Relaxed),
        };
        text(&state, &about).context("write the metrics as text")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Numbers are right after each change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sending side.
pub struct Metrics {
    shared: Arc<Shared>,
    changed: Option<SyncSender<()>>,
    writer: Option<JoinHandle<()>>,
}

impl Metrics {
    /// Begins with what this boot's history has; none where nothing is asked for.
    pub fn begin(settings: &Settings, past: impl FnOnce() -> Vec<Event>) -> Result<Option<Self>> {
        if settings.textfile.is_none() && settings.listen.is_none() {
            return Ok(None);
        }
        let mut state = State::default();
        for event in past() {
            state.see(&event);
        }
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            is_running: AtomicBool::new(true),
        });
        if let Some(address) = settings.listen {
            http::listen(address, Arc::clone(&shared))?;
        }
        let (changed, receiver) = sync_channel(1);
        let writer = settings
            .textfile
            .clone()
            .map(|path| write_on_change(path, Arc::clone(&shared), receiver));
        Ok(Some(Self {
            shared,
            changed: Some(changed),
            writer: writer.transpose()?,
        }))
    }

    /// Counts an event; `waiting` is how many wait for the history.
    pub fn see(&self, event: &Event, waiting: usize) {
        let mut state = self.shared.lock();
        state.see(event);
        state.set_waiting(waiting);
        drop(state);
        if let Some(changed) = &self.changed {
            // A full queue says the same.
            _ = changed.try_send(());
        }
    }
}

impl Drop for Metrics {
    /// The last file says that nothing is monitored any more.
    fn drop(&mut self) {
        self.shared.is_running.store(false, Ordering::Relaxed);
        self.changed = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            log::warn!("the last metrics were not written");
        }
    }
}

fn write_on_change(
    path: PathBuf,
    shared: Arc<Shared>,
    changes: Receiver<()>,
) -> Result<JoinHandle<()>> {
    let write = move || {
        let written = shared.text().and_then(|text| textfile::write(&path, &text));
        written.map_err(|error| format!("{error:#}"))
    };
    // A wrong folder is known before anything is monitored.
    write().map_err(anyhow::Error::msg)?;
    std::thread::Builder::new()
        .name("metrics".to_owned())
        .spawn(move || textfile::follow(&changes, write))
        .context("start the thread that writes metrics")
}
