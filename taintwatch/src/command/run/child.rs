//! The command as a process: started, waited for, and what signals do to it.
//!
//! In: its words, its cgroup. Out: how it ended. Orphans of it become children of this process, so that all of its
//! processes keep one ancestor.

use std::{
    ffi::OsString,
    io,
    os::unix::process::ExitStatusExt as _,
    process::{self, Command, ExitStatus},
};

use anyhow::{Context as _, Result};
use nix::{
    errno::Errno,
    sys::{
        prctl,
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid},
    },
    unistd::{Pid, getpgrp, tcgetpgrp},
};
use tokio::signal::unix::{self, SignalKind, signal};

use super::place::Place;
use crate::verdict::Ended;

/// The process.
pub(super) struct Child(process::Child);

/// Signals that this process gets meanwhile.
pub(super) struct Signals {
    child: unix::Signal,
    interrupt: unix::Signal,
    quit: unix::Signal,
    hangup: unix::Signal,
    terminate: unix::Signal,
}

/// What a signal asks for.
pub(super) enum Received {
    /// A child changed.
    Child,
    /// The command is to get it, too.
    Forward(Signal),
}

impl Signals {
    /// From now on they wait to be taken, and end this process no more.
    pub(super) fn begin() -> Result<Self> {
        let wait = |kind| signal(kind).context("wait for signals");
        Ok(Self {
            child: wait(SignalKind::child())?,
            interrupt: wait(SignalKind::interrupt())?,
            quit: wait(SignalKind::quit())?,
            hangup: wait(SignalKind::hangup())?,
            terminate: wait(SignalKind::terminate())?,
        })
    }

    pub(super) async fn next(&mut self) -> Received {
        tokio::select! {
            _ = self.child.recv() => Received::Child,
            _ = self.interrupt.recv() => Received::Forward(Signal::SIGINT),
            _ = self.quit.recv() => Received::Forward(Signal::SIGQUIT),
            _ = self.hangup.recv() => Received::Forward(Signal::SIGHUP),
            _ = self.terminate.recv() => Received::Forward(Signal::SIGTERM),
        }
    }
}

impl Child {
    /// Starts the command in its cgroup.
    pub(super) fn start(words: &[OsString], place: Option<&Place>) -> Result<Self, Ended> {
        let failed = |error: io::Error| {
            let why = error.to_string();
            if error.kind() == io::ErrorKind::NotFound {
                Ended::NotFound(why)
            } else {
                Ended::NotStarted(why)
            }
        };
        let (program, arguments) = words
            .split_first()
            .ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        if let Err(error) = prctl::set_child_subreaper(true) {
            log::warn!("orphans of the command will not be known by their parents: {error}");
        }
        if let Some(place) = place {
            place.enter().map_err(failed)?;
        }
        let started = Command::new(program).args(arguments).spawn();
        if let Some(place) = place
            && let Err(error) = place.leave()
        {
            log::warn!("this process stays in the command's cgroup: {error}");
        }
        started.map(Self).map_err(failed)
    }

    /// How it ended, if it has; takes orphans that have ended out of the way.
    pub(super) fn ended(&mut self) -> Result<Option<Ended>> {
        loop {
            if let Some(status) = self.0.try_wait().context("wait for the command")? {
                return Ok(Some(of_status(status)));
            }
            let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
            match waitid(Id::All, flags) {
                Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..))
                    if pid != self.pid() =>
                {
                    // It has ended, so this does not wait.
                    _ = waitpid(pid, None);
                }
                Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => {}
                Ok(_) | Err(Errno::ECHILD) => return Ok(None),
                Err(error) => return Err(error).context("wait for children"),
            }
        }
    }

    /// Passes a signal on. What a terminal sends, the command has got already.
    pub(super) fn forward(&self, signal: Signal) {
        let by_terminal = matches!(signal, Signal::SIGINT | Signal::SIGQUIT) && is_in_foreground();
        if !by_terminal && let Err(error) = kill(self.pid(), signal) {
            log::warn!("pass {signal} on to the command: {error}");
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.0.id()).unwrap_or(i32::MAX))
    }
}

fn of_status(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Exit(u8::try_from(code & 0xff).unwrap_or(u8::MAX)),
        (None, signal) => Ended::Signal(signal.unwrap_or_default()),
    }
}

/// Whether the terminal sends its signals to this process and the command alike.
fn is_in_foreground() -> bool {
    let terminal = std::fs::File::open("/dev/tty");
    terminal.is_ok_and(|terminal| tcgetpgrp(&terminal) == Ok(getpgrp()))
}
