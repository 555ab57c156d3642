//! An event is on the disk before anybody can read of it: the power goes, and a second guest looks.

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};

use super::{guests::run_guest, matrix::Matrix};
use crate::{
    image,
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
    let disk = image::folder()?.join(format!("{name}-{}.img", kernel.series));
    std::fs::File::create(&disk)?.set_len(64 << 20)?;
    run::quiet(Command::new("/usr/sbin/mkfs.ext4").arg("-q").arg(&disk))
        .context("make a file system")?;
    Ok(disk)
}

/// One second after an event the power goes; a second guest finds the event in the same store.
pub(super) fn run(kernel: &Kernel, matrix: &mut Matrix) -> Result<()> {
    let disk = disk(kernel, "power-cut")?;
    let first = format!(
        "{MOUNT}taintwatch --db /mnt/events.db daemon >/tmp/daemon 2>&1 &\n\
         i=0; while [ ! -S /run/taintwatch/events.sock ] && [ $i -lt 600 ]; do sleep 0.1; i=$((i+1)); done; sleep 1\n\
         echo 64 > /proc/sys/kernel/tainted; echo written; sleep 60\n"
    );
    let mut guest = vm::guest(kernel, "power-cut", &first)?;
    image::add_disk_modules(kernel, &mut guest.files)?;
    guest.disk = Some(disk.clone());
    let mut lines = Vec::new();
    let ended = run_guest(&guest, matrix, |line, _| {
        if line != "written" {
            lines.push(line.to_owned());
            return Flow::Continue;
        }
        std::thread::sleep(CUT_AFTER);
        Flow::Kill
    })?;
    ensure!(
        ended == Ended::Killed,
        "the first guest ended by itself: {ended:?}; it printed:\n{}",
        lines.join("\n")
    );
    let second =
        format!("{MOUNT}taintwatch --db /mnt/events.db report --boot all --kind taint --json");
    let mut guest = vm::guest(kernel, "power-back", &second)?;
    image::add_disk_modules(kernel, &mut guest.files)?;
    guest.disk = Some(disk);
    let mut lines = Vec::new();
    run_guest(&guest, matrix, |line, _| {
        lines.push(line.to_owned());
        Flow::Continue
    })?;
    let found = lines.iter().any(|line| {
        line.contains("\"class\":\"sysctl_write\"") && line.contains("\"letter\":\"U\"")
    });
    ensure!(
        found,
        "the event is not in the store; it says: {}",
        lines.join("\n")
    );
    Ok(())
}
