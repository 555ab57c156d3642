//! Boots a guest and follows it to its end.
//!
//! In: a kernel, the archive that its guests share, a guest's own files. Out: the lines that the guest's job printed on
//! the second serial port, and how it ended. The kernel's console is a file.

mod follow;
mod start;

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::initramfs::Initramfs;
pub(crate) use follow::BEGAN;

/// How often the console is looked at while the job is silent.
const LOOK: Duration = Duration::from_millis(500);
/// How often a guest is booted until its first process runs.
const BOOTS: usize = 3;

/// A machine to boot.
pub(crate) struct Guest {
    pub(crate) name: String,
    /// The kernel.
    pub(crate) image: PathBuf,
    /// The archive of what guests of this kernel share.
    pub(crate) base: PathBuf,
    /// What this guest has besides: its job.
    pub(crate) files: Initramfs,
    pub(crate) memory_mib: u32,
    pub(crate) append: &'static str,
    pub(crate) disk: Option<PathBuf>,
    pub(crate) limit: Duration,
    /// It panics on purpose, and boots again in the same machine, with its memory as it was.
    pub(crate) survives_panic: bool,
    /// It has one processor, and its clock counts instructions: one a nanosecond. While nothing runs, its time does not wait.
    pub(crate) counts_instructions: bool,
}

/// What is heard of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard<'a> {
    /// Its first process runs.
    Began,
    /// The job printed a line.
    Line(&'a str),
    /// The kernel died before its first process, of this, and is booted again.
    Again(&'a str),
}

/// What to do after a line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Continue,
    /// Cut the power.
    Kill,
}

/// How a guest ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Its job ended with this status.
    Exited(u8),
    Killed,
}

impl Guest {
    /// Boots, and hands each line of the job to `hear`.
    ///
    /// A kernel that dies before its first process is booted again: QEMU's threads race with a kernel that patches its
    /// own code, and may run a breakpoint that is not there any more (`Oops: int3` at a `nop`).
    pub(crate) fn run(&self, mut hear: impl FnMut(Heard) -> Flow) -> Result<Ended> {
        let ended = self.boot_until_begun(&mut hear);
        // It is as large as a system; the console stays, to look into a failure.
        let removed = fs::remove_file(self.archive_path()?);
        if ended.is_ok() {
            removed.context("remove the guest's archive")?;
        }
        ended
    }

    fn boot_until_begun(&self, hear: &mut impl FnMut(Heard) -> Flow) -> Result<Ended> {
        for _ in 1..BOOTS {
            match self.boot(hear) {
                Err(death) if death.early => {
                    hear(Heard::Again(&format!(
                        "{} is booted again: {}",
                        self.name,
                        death.why()
                    )));
                }
                ended => return ended.map_err(|death| death.error),
            }
        }
        self.boot(hear).map_err(|death| death.error)
    }

    /// Boots with the job's lines on standard output; a closed pipe ends the guest.
    pub(crate) fn run_shown(&self) -> Result<Ended> {
        self.run(|heard| {
            let shown = match heard {
                Heard::Began => Ok(()),
                Heard::Line(line) => writeln!(io::stdout(), "{line}"),
                Heard::Again(why) => writeln!(io::stderr(), "note: {why}"),
            };
            if shown.is_ok() {
                Flow::Continue
            } else {
                Flow::Kill
            }
        })
    }

    /// Does something while the machine stands still, its disk included.
    pub(crate) fn paused(&self, what: impl FnOnce() -> Result<()>) -> Result<()> {
        self.monitor("stop")?;
        let done = what();
        self.monitor("cont")?;
        done
    }

    /// One command for QEMU itself, which takes it as soon as it is read.
    fn monitor(&self, command: &str) -> Result<()> {
        let path = self.monitor_path()?;
        let mut monitor = UnixStream::connect(&path).context("reach QEMU's monitor")?;
        writeln!(monitor, "{command}").context("write to QEMU's monitor")?;
        monitor.set_read_timeout(Some(LOOK))?;
        let mut said = Vec::new();
        // Its prompt has no end of line: what counts is that it had the time to read.
        _ = BufReader::new(monitor).read_until(0, &mut said);
        Ok(())
    }

    /// The paths of sockets are short: a checkout's may be too long.
    fn monitor_path(&self) -> Result<PathBuf> {
        let folder = std::env::temp_dir().join(format!("taintwatch-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        Ok(folder.join(&self.name))
    }

    /// Boots with the second serial port on this terminal.
    pub(crate) fn interact(&self) -> Result<()> {
        let (mut child, _console) = self.start(Stdio::inherit(), "mon:stdio")?;
        child.wait()?;
        Ok(())
    }
}
