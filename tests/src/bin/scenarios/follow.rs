//! `tail` through the recorder: what it prints is what the history has.
//!
//! In: the socket of a recorder. Out: nothing, or what differs.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{DB, history::History, live::socket_of};

/// Until it prints an event; it may not be connected yet when the first one happens.
const HEARD: Duration = Duration::from_secs(5);
const TRIES: usize = 12;

pub(crate) fn live(history: &mut History) -> Result<()> {
    let (mut all, events) = follow(&[])?;
    let (mut others, filtered) = follow(&["--flag", "F"])?;
    let heard = first(&events);
    all.kill()?;
    others.kill()?;
    all.wait()?;
    others.wait()?;
    let heard: Value = serde_json::from_str(&heard?)?;
    ensure!(heard["taint"]["letter"] == "U", "it prints {heard}");
    let recorded = history.complete()?;
    ensure!(recorded.contains(&heard), "the history has no {heard}");
    // Both were ended, so nothing more comes.
    let passed: Vec<_> = filtered.iter().collect();
    ensure!(passed.is_empty(), "a filter let pass {passed:?}");
    Ok(())
}

/// Taints until it is heard of. An event of before may come first: it is passed on when its module's file is read.
fn first(events: &Receiver<String>) -> Result<String> {
    for _ in 0..TRIES {
        fs::write("/proc/sys/kernel/tainted", "64")?;
        while let Ok(line) = events.recv_timeout(HEARD) {
            if line.contains(r#""letter":"U""#) {
                return Ok(line);
            }
        }
    }
    anyhow::bail!("tail prints no taint")
}

/// A tail without the past, and its lines.
fn follow(filter: &[&str]) -> Result<(Child, Receiver<String>)> {
    let mut tail = Command::new("taintwatch")
        .args(["--db", DB, "tail", "-n", "0", "--json", "--socket"])
        .arg(socket_of(DB))
        .args(filter)
        .stdout(Stdio::piped())
        .spawn()?;
    let output = tail.stdout.take().context("a tail without output")?;
    let (send, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    Ok((tail, lines))
}
