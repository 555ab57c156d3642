//! Boots a guest and follows it to its end.
//!
//! In: a kernel, an initramfs. Out: the lines that the guest's job printed on the second serial port,
//! and how it ended. The kernel's console is a file.

mod follow;

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{net::UnixStream, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};
use nix::sys::{prctl, signal::Signal};

use crate::{cache, initramfs::Initramfs};
pub(crate) use follow::BEGAN;

/// How often the console is looked at while the job is silent.
const LOOK: Duration = Duration::from_millis(500);
/// How often a guest is booted until its first process runs.
const BOOTS: usize = 3;

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
    ///
    /// A kernel that dies before its first process is booted again, and that is told: QEMU's threads race with a kernel
    /// that patches its own code, and may run a breakpoint that is not there any more (`Oops: int3` at a `nop`).
    pub(crate) fn run(&self, mut line: impl FnMut(&str) -> Flow) -> Result<Ended> {
        for _ in 1..BOOTS {
            match self.boot(&mut line) {
                Err(death) if death.early => {
                    println!("note: {} is booted again: {}", self.name, death.why());
                }
                ended => return ended.map_err(|death| death.error),
            }
        }
        self.boot(&mut line).map_err(|death| death.error)
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
