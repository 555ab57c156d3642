//! Boots a guest and follows it to its end.
//!
//! In: a kernel, the archive that its guests share, a guest's own files. Out: the lines that the guest's job printed on
//! the second serial port, and how it ended. The kernel's console is a file.

mod follow;

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::{net::UnixStream, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};
use nix::sys::{prctl, signal::Signal};

use crate::{image, initramfs::Initramfs};
pub(crate) use follow::BEGAN;

/// Everything that QEMU can do, but for what it does slowly without a processor's help: strings of bytes, one after the
/// other, which the kernel prefers to words when it may have them; and page tables of five levels. A recorder starts in
/// half the time without.
const CPU: &str = "max,erms=off,fsrm=off,la57=off";
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
        for _ in 1..BOOTS {
            match self.boot(&mut hear) {
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
        self.boot(&mut hear).map_err(|death| death.error)
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
        let archive = self.archive()?;
        let console = image::folder()?.join(format!("{}.console", self.name));
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args([
            "-accel",
            accelerator(),
            "-cpu",
            CPU,
            "-smp",
            "2",
            "-nodefaults",
        ]);
        if !self.survives_panic {
            qemu.arg("-no-reboot");
        }
        qemu.args(["-display", "none", "-m", &self.memory_mib.to_string()]);
        qemu.arg("-kernel")
            .arg(&self.image)
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
        if let Some(disk) = &self.disk {
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

    /// The guest's own files stand first, where the kernel looks for ACPI tables.
    fn archive(&self) -> Result<PathBuf> {
        let path = image::folder()?.join(format!("{}.initramfs", self.name));
        let made = || -> Result<()> {
            let mut out = File::create(&path)?;
            self.files.write(&mut out)?;
            io::copy(&mut File::open(&self.base)?, &mut out)?;
            Ok(())
        };
        made().with_context(|| format!("write {}", path.display()))?;
        Ok(path)
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
