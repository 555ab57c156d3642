//! The daemon's socket: every event as a JSON line to whoever is connected.
//!
//! In: recorded events. Out: lines. A reader that falls behind is told how many events it missed;
//! they are in the history.

use std::{
    fs, io,
    os::unix::{fs::PermissionsExt as _, net},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use tokio::{
    io::AsyncWriteExt as _,
    net::{UnixListener, UnixStream},
    sync::broadcast::{self, error::RecvError},
};

use crate::event::Event;

/// Where the daemon listens.
pub const DEFAULT_PATH: &str = "/run/taintwatch/events.sock";
/// The group that may read, where the machine has it.
const GROUP: &str = "taintwatch";
/// Events kept for a slow reader.
const BACKLOG: usize = 1024;

/// The sending side.
pub struct Feed {
    events: broadcast::Sender<Arc<str>>,
    path: PathBuf,
}

impl Feed {
    /// Listens at `path`; a socket that an earlier daemon left is replaced, one in use is not.
    pub fn listen(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        }
        if net::UnixStream::connect(path).is_ok() {
            anyhow::bail!(
                "another taintwatch daemon listens at {}: stop it first",
                path.display()
            );
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error)
                    .with_context(|| format!("remove the stale socket {}", path.display()));
            }
            _ => {}
        }
        let listener =
            UnixListener::bind(path).with_context(|| format!("listen at {}", path.display()))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
        if let Ok(Some(group)) = nix::unistd::Group::from_name(GROUP) {
            nix::unistd::chown(path, None, Some(group.gid))?;
        }
        let (events, _) = broadcast::channel(BACKLOG);
        tokio::spawn(accept(listener, events.clone()));
        Ok(Self {
            events,
            path: path.to_owned(),
        })
    }

    /// Hands an event to everyone who is connected.
    pub fn publish(&self, event: &Event) -> Result<()> {
        let line = serde_json::to_string(event)? + "\n";
        // An error only says that nobody is connected.
        _ = self.events.send(line.into());
        Ok(())
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            log::debug!("remove {}: {error}", self.path.display());
        }
    }
}

async fn accept(listener: UnixListener, events: broadcast::Sender<Arc<str>>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(stream, events.subscribe()));
            }
            Err(error) => {
                log::warn!("a reader could not connect: {error}");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(mut stream: UnixStream, mut events: broadcast::Receiver<Arc<str>>) {
    loop {
        let line = match events.recv().await {
            Ok(line) => line,
            Err(RecvError::Lagged(missed)) => format!("{{\"missed\":{missed}}}\n").into(),
            Err(RecvError::Closed) => return,
        };
        if stream.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}
