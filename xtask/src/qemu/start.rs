//! Starts QEMU.
//!
//! In: a guest. Out: the process, and the file of the kernel's console; it dies with the thread that started it.

use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result};
use nix::sys::{prctl, signal::Signal};

use super::Guest;
use crate::image;

/// Everything that QEMU can do, but for what it does slowly without a processor's help: strings of bytes, one after the
/// other, which the kernel prefers to words when it may have them; and page tables of five levels. A recorder starts in
/// half the time without.
const CPU: &str = "max,erms=off,fsrm=off,la57=off";
impl Guest {
    pub(super) fn start(&self, output: Stdio, channel: &str) -> Result<(Child, PathBuf)> {
        let archive = self.archive()?;
        let console = image::folder()?.join(format!("{}.console", self.name));
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(["-cpu", CPU, "-nodefaults"]);
        if self.counts_instructions {
            qemu.args(["-accel", "tcg,thread=single", "-smp", "1"]);
            qemu.args(["-icount", "shift=0,sleep=off"]);
        } else {
            qemu.args(["-accel", accelerator(), "-smp", "2"]);
        }
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

    pub(super) fn archive_path(&self) -> Result<PathBuf> {
        Ok(image::folder()?.join(format!("{}.initramfs", self.name)))
    }

    /// The guest's own files stand first, where the kernel looks for ACPI tables.
    fn archive(&self) -> Result<PathBuf> {
        let path = self.archive_path()?;
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
