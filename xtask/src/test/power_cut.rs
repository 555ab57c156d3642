//! An event is on the disk before anybody is told of it: the power goes, and a second guest looks.

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context as _, Result};

use crate::{
    cache,
    kernels::Kernel,
    qemu::{Ended, Flow},
    run, vm,
};

/// From the event to the cut of the power.
const CUT_AFTER: Duration = Duration::from_secs(1);

/// Mounts the disk in a guest.
pub(super) const MOUNT: &str = "for m in /stock/*.ko; do insmod $m 2>/dev/null; done; mount -t ext4 /dev/vda /mnt || { ls /stock /dev/vd*; dmesg | tail -n 15; exit 9; }\n";

/// An empty disk with a file system.
pub(super) fn disk(kernel: &Kernel, name: &str) -> Result<PathBuf> {
    let disk = format!("target/guests/{name}-{}.img", kernel.series);
    let disk = cache::checkout()?.join(disk);
    std::fs::File::create(&disk)?.set_len(64 << 20)?;
    run::quiet(Command::new("/usr/sbin/mkfs.ext4").arg("-q").arg(&disk))
        .context("make a file system")?;
    Ok(disk)
}

/// One second after an event the power goes; a second guest finds the event in the same store.
pub(super) fn run(kernel: &Kernel) -> Result<()> {
    let disk = disk(kernel, "power-cut")?;
    let mut files = vm::files(kernel)?;
    vm::add_disk_modules(kernel, &mut files)?;
    let mount = MOUNT;
    let first = format!(
        "{mount}taintwatch --db /mnt/events.db daemon >/tmp/daemon 2>&1 &\n\
         i=0; while [ ! -S /run/taintwatch/events.sock ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done; sleep 1\n\
         echo 64 > /proc/sys/kernel/tainted; echo written; sleep 60\n"
    );
    files.file("etc/job", 0o755, first.into_bytes());
    let mut guest = vm::guest(kernel, &files, "power-cut");
    guest.disk = Some(&disk);
    let mut lines = Vec::new();
    let ended = guest.run(|line| {
        if line != "written" {
            lines.push(line.to_owned());
            return Flow::Continue;
        }
        std::thread::sleep(CUT_AFTER);
        Flow::Kill
    })?;
    anyhow::ensure!(
        ended == Ended::Killed,
        "the first guest ended by itself: {ended:?}; it said:\n{}",
        lines.join("\n")
    );
    let second =
        format!("{mount}taintwatch --db /mnt/events.db report --boot all --kind taint --json");
    files.file("etc/job", 0o755, second.into_bytes());
    let mut guest = vm::guest(kernel, &files, "power-back");
    guest.disk = Some(&disk);
    let mut lines = Vec::new();
    guest.run(|line| {
        lines.push(line.to_owned());
        Flow::Continue
    })?;
    let found = lines.iter().any(|line| {
        line.contains("\"class\":\"sysctl_write\"") && line.contains("\"letter\":\"U\"")
    });
    anyhow::ensure!(
        found,
        "the event is not in the store; it says: {}",
        lines.join("\n")
    );
    Ok(())
}
