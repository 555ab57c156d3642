//! Reads what a running kernel still shows of the time before monitoring.
//!
//! In: `/dev/kmsg` from its oldest record on, `/proc/modules`, `/proc/cmdline`, and where they are there the journal
//! and `unloaded_tainted`. Out: evidence. What cannot be read is left out: the flags that it would explain then stay
//! unexplained.

use std::{
    fs,
    io::{self, BufReader},
    process::{Command, Stdio},
};

use super::{BaselineEvidence, module};
use crate::{
    event::Mask,
    kernel::kmsg::{From, Kmsg, Next},
    klog::{Finding, Line, Scanner, stream},
    taint::tables::Table,
};

/// Kept of a log: a storm of warnings repeats itself.
const MOST: usize = 2000;
/// What the kernel prints first (`linux_banner`, `init/version.c`).
const FIRST_LINE: &str = "Linux version ";
const UNLOADED: &str = "/sys/kernel/debug/modules/unloaded_tainted";

/// Reads it all; `mask` is that of the start of monitoring.
#[must_use]
pub fn read(mask: Mask, table: &'static Table) -> BaselineEvidence {
    let (findings, log_is_whole) = log().unwrap_or_else(|error| {
        log::warn!("the kernel log of the time before monitoring: {error}");
        (Vec::new(), false)
    });
    let text = |path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let mut modules = module::loaded(&text("/proc/modules").unwrap_or_default(), table);
    modules.extend(module::unloaded(&text(UNLOADED).unwrap_or_default(), table));
    BaselineEvidence {
        table,
        mask,
        findings,
        log_is_whole,
        modules,
        command_line: text("/proc/cmdline").unwrap_or_default(),
    }
}

/// The findings of the log, and whether its first line is there: in the kernel's memory, or else in the journal.
fn log() -> io::Result<(Vec<Finding>, bool)> {
    let mut kmsg = Kmsg::open(From::Oldest)?;
    let mut log = Log::default();
    loop {
        match kmsg.read()? {
            Next::Line(line) => {
                let since_boot = line.time_us.saturating_mul(1000);
                if log.lines == 0 {
                    log.is_whole = line.seq == 0 || log.journal_before(since_boot);
                }
                log.take(&Line {
                    number: line.seq,
                    since_boot: Some(since_boot),
                    caller: line.caller.as_deref(),
                    ..Line::of(&line.text)
                });
            }
            Next::Gap => log.is_whole = false,
            Next::End => break,
        }
    }
    log.findings.extend(log.scanner.finish());
    Ok((log.findings, log.is_whole))
}

/// The log of this boot while it is read.
#[derive(Default)]
struct Log {
    scanner: Scanner,
    findings: Vec<Finding>,
    lines: u64,
    is_whole: bool,
}

impl Log {
    fn take(&mut self, line: &Line<'_>) {
        self.lines += 1;
        self.findings.extend(self.scanner.push(line));
        self.findings.truncate(MOST);
    }

    /// What the journal has of this boot and the kernel has no more; whether that begins with the kernel's first line.
    /// The lines get the fields that the kernel's own would have, so that both give the same events.
    fn journal_before(&mut self, since_boot: u64) -> bool {
        let mut journalctl = Command::new("journalctl");
        journalctl.args([
            "--dmesg",
            "--boot",
            "--output=export",
            "--quiet",
            "--no-pager",
        ]);
        journalctl
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        // No journal on this machine is no error.
        let Ok(mut child) = journalctl.spawn() else {
            return false;
        };
        let mut begins = false;
        let read = child.stdout.take().map(|out| {
            stream::read(&mut BufReader::new(out), &mut |line| {
                if line.since_boot.is_some_and(|at| at < since_boot) {
                    begins |= line.text.starts_with(FIRST_LINE);
                    self.take(&Line {
                        number: 0,
                        since_boot: line.since_boot,
                        ..Line::of(line.text)
                    });
                }
            })
        });
        if let Some(Err(error)) = read {
            log::warn!("the journal of this boot: {error}");
        }
        if let Err(error) = child.wait() {
            log::warn!("wait for journalctl: {error}");
        }
        begins
    }
}
