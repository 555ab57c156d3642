//! What the daemon has to do besides recording events.
//!
//! In: signals, clocks. Out: what is due, one thing after another.

use std::{future::pending, time::Duration};

use anyhow::{Context as _, Result};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Interval, interval},
};

use crate::{recorder::Requests, socket::Request};

/// How often the heartbeat is written: the longest time that an unclean end leaves open.
const HEARTBEAT: Duration = Duration::from_mins(1);

/// What is due.
#[derive(Debug)]
pub(super) enum Due {
    Heartbeat,
    /// What the recorder has to do: events to be passed on, another try to write to the history.
    Recorder,
    /// A message to the service manager, which would end a daemon that hangs.
    Alive,
    /// The configuration, read again.
    Reload,
    /// Readers wait until all that happened is recorded.
    Sync(Vec<Request>),
    /// The end, for this reason.
    Stop(&'static str),
}

/// Signals and clocks.
pub(super) struct Turns {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
    heartbeat: Interval,
    alive: Interval,
    requests: Option<Requests>,
}

impl Turns {
    /// From now on signals wait to be taken. `alive`: how often the service manager wants to hear something.
    pub(super) fn begin(alive: Option<Duration>) -> Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup()).context("wait for SIGHUP")?,
            interrupt: signal(SignalKind::interrupt()).context("wait for SIGINT")?,
            terminate: signal(SignalKind::terminate()).context("wait for SIGTERM")?,
            heartbeat: interval(HEARTBEAT),
            alive: interval(alive.map_or(HEARTBEAT, |alive| alive.min(HEARTBEAT))),
            requests: None,
        })
    }

    /// Readers of the socket may ask from now on.
    pub(super) fn hear(&mut self, requests: Option<Requests>) {
        self.requests = requests;
    }

    /// The next thing that is due. To stop waiting loses none.
    pub(super) async fn due(&mut self) -> Due {
        tokio::select! {
            _ = self.heartbeat.tick() => Due::Heartbeat,
            _ = self.alive.tick() => Due::Alive,
            requests = asked(&mut self.requests) => Due::Sync(requests),
            _ = self.hangup.recv() => Due::Reload,
            _ = self.terminate.recv() => Due::Stop("stopped by SIGTERM"),
            _ = self.interrupt.recv() => Due::Stop("stopped by SIGINT"),
        }
    }
}

/// All readers that ask; waits for one.
async fn asked(requests: &mut Option<Requests>) -> Vec<Request> {
    if let Some(waiting) = requests {
        let mut all = Vec::new();
        if waiting.recv_many(&mut all, usize::MAX).await > 0 {
            return all;
        }
        *requests = None;
    }
    pending().await
}
