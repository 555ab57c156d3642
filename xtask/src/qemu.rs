//! Boots a guest and follows it to its end.
//!
//! In: a kernel, an initramfs. Out: the lines that the guest's job printed on the second serial port,
//! and how it ended. The kernel's console is a file. A guest that panics or hangs is ended and told with
//! its console; it is never waited for.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{net::UnixStream, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use nix::sys::{prctl, signal::Signal};

use crate::{cache, initramfs::Initramfs};

/// What the guest's job says last, and its exit status.
const EXIT: &str = "guest: exit ";
/// What the guest's job says when it wants the machine to fail, and what QEMU is told then: an uncorrected error that
/// was deferred (bit 44) and is signalled (bit 56), without broken context, so that the kernel goes on
/// (`mce_severity_amd`, `arch/x86/kernel/cpu/mce/severity.c`).
const ASKS_FOR_MACHINE_CHECK: &str = "host: machine check";
const MACHINE_CHECK: &str = "mce 0 4 0xbd001000000000c0 0x5 0x1000 0x8c";
/// How often the console is looked at while the job is silent.
const LOOK: Duration = Duration::from_millis(500);
/// Reports of lockups that a scenario makes on purpose, or an emulator's pause; more is a guest that hangs.
const LOCKUPS: usize = 4;
const PANICKED: &str = "panicked";
/// Lines of the console that are shown of a guest that went wrong.
const TAIL: usize = 40;

/// A machine to boot.
pub(crate) struct Guest<'a> {
    pub(crate) name: String,
    pub(crate) image: &'a Path,
    pub(crate) initramfs: &'a Initramfs,
    pub(crate) memory_mib: u32,
    pub(crate) append: &'a str,
    pub(crate) disk: Option<&'a Path>,
    pub(crate) limit: Duration,
    /// It panics on purpose, and boots again in the same machine, with its memory as it was.
    pub(crate) survives_panic: bool,
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

impl Guest<'_> {
    /// Boots, and hands each line of the job to `line`.
    pub(crate) fn run(&self, mut line: impl FnMut(&str) -> Flow) -> Result<Ended> {
        let (mut child, console) = self.start(Stdio::piped(), "stdio")?;
        let output = child.stdout.take().context("QEMU has no output")?;
        let (send, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                if send
                    .send(
                        String::from_utf8_lossy(&line)
                            .trim_end_matches('\r')
                            .to_owned(),
                    )
                    .is_err()
                {
                    break;
                }
            }
        });
        let began = Instant::now();
        let mut exit = None;
        loop {
            match lines.recv_timeout(LOOK) {
                Ok(text) => match text.strip_prefix(EXIT) {
                    Some(status) => exit = status.trim().parse().ok(),
                    None if text == ASKS_FOR_MACHINE_CHECK => self.monitor(MACHINE_CHECK)?,
                    None if line(&text) == Flow::Kill => {
                        end(&mut child)?;
                        return Ok(Ended::Killed);
                    }
                    None => {}
                },
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let sick = sickness(&fs::read(&console).unwrap_or_default());
                    let sick = sick.filter(|sick| !(self.survives_panic && *sick == PANICKED));
                    let late = (began.elapsed() > self.limit).then_some("took too long");
                    if let Some(reason) = sick.or(late) {
                        end(&mut child)?;
                        bail!(
                            "the guest {} {reason}; its console ended with:\n{}",
                            self.name,
                            tail(&console)
                        );
                    }
                }
            }
        }
        child.wait()?;
        match exit {
            Some(status) => Ok(Ended::Exited(status)),
            None => bail!(
                "the guest {} ended before its job; its console ended with:\n{}",
                self.name,
                tail(&console)
            ),
        }
    }

    /// One command for QEMU itself, which takes it as soon as it is read.
    fn monitor(&self, command: &str) -> Result<()> {
        let path = self.monitor_path()?;
        let mut monitor = UnixStream::connect(&path).context("reach QEMU's monitor")?;
        writeln!(monitor, "{command}").context("tell QEMU's monitor")?;
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

    fn start(&self, output: Stdio, channel: &str) -> Result<(Child, PathBuf)> {
        let folder = cache::checkout()?.join("target/guests");
        fs::create_dir_all(&folder)?;
        let archive = folder.join(format!("{}.initramfs", self.name));
        self.initramfs.write(&archive)?;
        let console = folder.join(format!("{}.console", self.name));
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args([
            "-accel",
            accelerator(),
            "-cpu",
            "max",
            "-smp",
            "2",
            "-nodefaults",
        ]);
        if !self.survives_panic {
            qemu.arg("-no-reboot");
        }
        qemu.args(["-display", "none", "-m", &self.memory_mib.to_string()]);
        qemu.arg("-kernel")
            .arg(self.image)
            .arg("-initrd")
            .arg(&archive);
        let append = format!(
            "console=ttyS0 panic=-1 mitigations=off quiet loglevel=5 {}",
            self.append
        );
        qemu.args([
            "-append",
            &append,
            "-serial",
            &format!("file:{}", console.display()),
        ]);
        qemu.args(["-serial", channel]);
        let monitor = self.monitor_path()?;
        qemu.args([
            "-monitor",
            &format!("unix:{},server=on,wait=off", monitor.display()),
        ]);
        if let Some(disk) = self.disk {
            qemu.args([
                "-drive",
                &format!(
                    "file={},if=virtio,format=raw,cache=writeback",
                    disk.display()
                ),
            ]);
        }
        let input = if channel == "stdio" {
            Stdio::null()
        } else {
            Stdio::inherit()
        };
        qemu.stdin(input).stdout(output);
        // SAFETY: prctl is one system call, and touches nothing of this process.
        let qemu = unsafe { qemu.pre_exec(|| Ok(prctl::set_pdeathsig(Signal::SIGKILL)?)) };
        Ok((qemu.spawn().context("start qemu-system-x86_64")?, console))
    }
}

/// `/dev/kvm` can be there and hang every guest: the processor's own word counts.
fn accelerator() -> &'static str {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let virtual_machines = cpu
        .split_whitespace()
        .any(|flag| flag == "vmx" || flag == "svm");
    if virtual_machines && Path::new("/dev/kvm").exists() {
        "kvm"
    } else {
        "tcg,thread=multi"
    }
}

fn end(child: &mut Child) -> Result<()> {
    child.kill().context("end QEMU")?;
    child.wait()?;
    Ok(())
}

/// What a console tells of a guest that will not end by itself.
fn sickness(console: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(console);
    if text.contains("Kernel panic") {
        Some(PANICKED)
    } else if text.matches("soft lockup").count() > LOCKUPS {
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
        assert_eq!(sickness(b"all is well"), None);
    }
}
