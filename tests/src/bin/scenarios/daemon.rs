//! A recorder that runs beside a scenario.

use std::{
    fs,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::live::socket_of;

/// Loading and verifying takes a few seconds on an emulated processor.
const PATIENCE: Duration = Duration::from_mins(1);

/// A configuration.
const NO_PINS: &str = "/tmp/no-pins.toml";

/// Where the recorder of a history says what.
pub(crate) fn said_of(db: &str) -> String {
    format!("/tmp/daemon-{}", db.replace('/', "_"))
}

/// The process, and where it says what.
pub(crate) struct Daemon {
    child: Child,
    said: String,
}

impl Daemon {
    /// Starts one, under the words of `before`, with further arguments, and waits until it records. It leaves nothing
    /// attached: what the next one does is its own.
    pub(crate) fn start(before: &[&str], arguments: &[&str], db: &str) -> Result<Self> {
        fs::write(NO_PINS, "[pins]\nenabled = false\n")?;
        let own: &[&str] = &["--config", NO_PINS];
        let has_one = arguments.contains(&"--config");
        let arguments = [if has_one { &[] } else { own }, arguments].concat();
        let mut daemon = Self::spawn(before, &arguments, db)?;
        daemon.wait()?;
        Ok(daemon)
    }

    /// Starts one, and does not wait.
    pub(crate) fn spawn(before: &[&str], arguments: &[&str], db: &str) -> Result<Self> {
        let said = said_of(db);
        let output = fs::File::create(&said)?;
        let mut words: Vec<&str> = before.to_vec();
        let socket = socket_of(db);
        words.extend(["taintwatch", "--db", db, "daemon", "--socket", &socket]);
        words.extend(arguments);
        let (program, rest) = words.split_first().context("no words")?;
        let mut command = Command::new(program);
        let child = command
            .args(rest)
            .env("RUST_LOG", "taintwatch=info")
            .stdout(output.try_clone()?)
            .stderr(output)
            .stdin(Stdio::null())
            .spawn()?;
        Ok(Self { child, said })
    }

    /// Waits until it records.
    pub(crate) fn wait(&mut self) -> Result<()> {
        let daemon = self;
        let began = Instant::now();
        // The list of hooks is printed when they are attached.
        while !daemon.said()?.contains("taintwatch records to") {
            if let Some(status) = daemon.child.try_wait()? {
                bail!("the daemon ended with {status}: {}", daemon.said()?);
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "the daemon says nothing: {}",
                daemon.said()?
            );
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// What it printed so far.
    pub(crate) fn said(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.said)?).into_owned())
    }

    /// The process that records: the started one, or the child of what constrains it.
    pub(crate) fn pid(&self) -> Result<Pid> {
        let own = self.child.id();
        let children =
            fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        let first = children
            .split_whitespace()
            .next()
            .and_then(|pid| pid.parse().ok());
        Ok(Pid::from_raw(first.unwrap_or(i32::try_from(own)?)))
    }

    /// Ends it as a service manager does.
    pub(crate) fn stop(&mut self) -> Result<()> {
        kill(self.pid()?, Signal::SIGTERM)?;
        let status = self.child.wait()?;
        ensure!(
            status.success(),
            "the daemon ended with {status}: {}",
            self.said()?
        );
        Ok(())
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) -> Result<()> {
        kill(self.pid()?, Signal::SIGKILL)?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // After a failure in between; one that has ended already is as good.
        if let Ok(pid) = self.pid() {
            _ = kill(pid, Signal::SIGKILL);
        }
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
