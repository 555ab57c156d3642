//! Follows a guest from its first process to its end.
//!
//! In: QEMU's output, the console's file. Out: the job's lines, and how it ended. A guest that panics or hangs is ended,
//! and its console is shown; it is never waited for.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read},
    path::Path,
    process::{Child, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Instant,
};

use anyhow::{Context as _, Error, Result, anyhow};

use super::{Ended, Flow, Guest, Heard, LOOK};

/// What the guest's first process says before all else.
pub(crate) const BEGAN: &str = "guest: began";
/// What the guest's job says last, and its exit status.
const EXIT: &str = "guest: exit ";
/// What the guest's job says when it wants the machine to fail, and what QEMU is asked for then: an uncorrected error that
/// was deferred (bit 44) and is signalled (bit 56), without broken context, so that the kernel goes on
/// (`mce_severity_amd`, `arch/x86/kernel/cpu/mce/severity.c`).
const ASKS_FOR_MACHINE_CHECK: &str = "host: machine check";
const MACHINE_CHECK: &str = "mce 0 4 0xbd001000000000c0 0x5 0x1000 0x8c";
/// Reports of lockups that an emulator's pause makes; more is a guest that hangs.
const LOCKUPS: usize = 4;
/// The thread that locks a CPU up on purpose, for as long as it is asked to.
const ON_PURPOSE: &str = "[tw_lockup:";
const PANICKED: &str = "panicked";
/// Lines of the console that are shown of a guest that went wrong.
const TAIL: usize = 40;

/// A guest that did not come to its own end.
pub(super) struct Death {
    /// Its first process never ran.
    pub(super) early: bool,
    pub(super) error: Error,
}

impl Death {
    /// In a line: what the kernel died of, where its console says so.
    pub(super) fn why(&self) -> String {
        let text = self.error.to_string();
        let names_it = |line: &&str| {
            ["Oops", "BUG: ", "Kernel panic"]
                .iter()
                .any(|word| line.contains(word))
        };
        let line = text.lines().find(names_it).or_else(|| text.lines().next());
        line.unwrap_or_default().to_owned()
    }
}

impl Guest {
    /// Boots once.
    pub(super) fn boot(&self, hear: &mut impl FnMut(Heard) -> Flow) -> Result<Ended, Death> {
        let mut early = false;
        self.follow(&mut early, hear)
            .map_err(|error| Death { early, error })
    }

    fn follow(&self, early: &mut bool, hear: &mut impl FnMut(Heard) -> Flow) -> Result<Ended> {
        let (mut child, console) = self.start(Stdio::piped(), "stdio")?;
        *early = true;
        let lines = lines(child.stdout.take().context("QEMU has no output")?);
        let start = Instant::now();
        let mut exit = None;
        loop {
            match lines.recv_timeout(LOOK) {
                Ok(text) => match text.strip_prefix(EXIT) {
                    Some(status) => exit = status.trim().parse().ok(),
                    None if text == ASKS_FOR_MACHINE_CHECK => self.monitor(MACHINE_CHECK)?,
                    None => {
                        *early &= text != BEGAN;
                        if hear(heard(&text)) == Flow::Kill {
                            end(&mut child)?;
                            return Ok(Ended::Killed);
                        }
                    }
                },
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(reason) = self.sickness(&console, start) {
                        end(&mut child)?;
                        return Err(self.died(reason, &console));
                    }
                }
            }
        }
        child.wait()?;
        exit.map(Ended::Exited)
            .ok_or_else(|| self.died("ended before its job", &console))
    }

    /// Why it will not end by itself.
    fn sickness(&self, console: &Path, start: Instant) -> Option<&'static str> {
        let sick = sickness(&fs::read(console).unwrap_or_default());
        let sick = sick.filter(|sick| !(self.survives_panic && *sick == PANICKED));
        sick.or_else(|| (start.elapsed() > self.limit).then_some("took too long"))
    }

    fn died(&self, how: &str, console: &Path) -> Error {
        let (name, tail) = (&self.name, tail(console));
        anyhow!("the guest {name} {how}; its console ended with:\n{tail}")
    }
}

fn heard(text: &str) -> Heard<'_> {
    if text == BEGAN {
        Heard::Began
    } else {
        Heard::Line(text)
    }
}

/// The lines of QEMU's output as they come.
fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (send, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&line);
            if send.send(text.trim_end_matches('\r').to_owned()).is_err() {
                break;
            }
        }
    });
    lines
}

fn end(child: &mut Child) -> Result<()> {
    child.kill().context("end QEMU")?;
    child.wait()?;
    Ok(())
}

/// What a console shows of a guest that will not end by itself.
fn sickness(console: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(console);
    let is_lockup = |line: &&str| line.contains("soft lockup") && !line.contains(ON_PURPOSE);
    if text.contains("Kernel panic") {
        Some(PANICKED)
    } else if text.lines().filter(is_lockup).count() > LOCKUPS {
        Some("locked up")
    } else {
        text.contains("rcu_preempt kthread starved")
            .then_some("starved")
    }
}

fn tail(console: &Path) -> String {
    let text = fs::read(console).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    let last = lines
        .get(lines.len().saturating_sub(TAIL)..)
        .unwrap_or_default();
    // The console holds whatever the guest wrote.
    last.join("\n")
        .chars()
        .filter(|c| *c == '\n' || !c.is_control())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_dying_guest() {
        assert_eq!(
            sickness(b"[1.0] Kernel panic - not syncing: x"),
            Some(PANICKED)
        );
        assert_eq!(
            sickness(b"watchdog: BUG: soft lockup - CPU#0"),
            None,
            "one may be an emulator's pause"
        );
        let many = |task: &str| {
            let line = format!("watchdog: BUG: soft lockup - CPU#0 stuck for 3s! [{task}:190]\n");
            sickness(line.repeat(LOCKUPS + 1).as_bytes())
        };
        assert_eq!(many("kworker"), Some("locked up"));
        assert_eq!(many("tw_lockup"), None, "it does so on purpose");
        assert_eq!(sickness(b"all is well"), None);
    }

    #[test]
    fn a_line_names_what_a_kernel_died_of() {
        let why = |text: &'static str| {
            let (early, error) = (true, anyhow!(text));
            Death { early, error }.why()
        };
        assert_eq!(
            why("g ended:\n[1.0] CR2: 0\n[1.1] Oops: int3: 0000 [#2]\n[1.2] Kernel panic"),
            "[1.1] Oops: int3: 0000 [#2]"
        );
        assert_eq!(
            why("g took too long; its console ended with:\n"),
            "g took too long; its console ended with:"
        );
    }
}
