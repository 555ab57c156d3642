//! An event is on the disk before anybody can read of it: the power goes, and a second guest looks.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};

use super::{guests::run_guest, matrix::Matrix};
use crate::{
    image,
    kernels::Kernel,
    qemu::{Ended, Flow},
    run, vm,
};

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

/// As soon as a reader of the socket has seen an event the power goes; a second guest finds that very event.
pub(super) fn run(kernel: &Kernel, matrix: &mut Matrix) -> Result<()> {
    let disk = disk(kernel, "power-cut")?;
    // The first write may come before the reader is connected.
    let first = format!(
        "{MOUNT}taintwatch --db /mnt/events.db daemon >/tmp/daemon 2>&1 &\n\
         i=0; while [ ! -S /run/taintwatch/events.sock ] && [ $i -lt 600 ]; do sleep 0.1; i=$((i+1)); done\n\
         taintwatch --db /mnt/events.db tail -n 0 --flag U --json &\n\
         i=0; while [ $i -lt 60 ]; do sleep 2; echo 64 > /proc/sys/kernel/tainted; i=$((i+1)); done\n"
    );
    let mut guest = vm::guest(kernel, "power-cut", &first)?;
    image::add_disk_modules(kernel, &mut guest.files)?;
    guest.disk = Some(disk.clone());
    let mut lines = Vec::new();
    let mut seen = None;
    let ended = run_guest(&guest, matrix, |line, _| {
        seen = id(line);
        lines.push(line.to_owned());
        if seen.is_some() {
            Flow::Kill
        } else {
            Flow::Continue
        }
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
    ensure!(
        seen.is_some() && lines.iter().any(|line| id(line) == seen),
        "a reader saw the event {}, and it is not in the store; that says: {}",
        seen.unwrap_or_default(),
        lines.join("\n")
    );
    Ok(())
}

/// The id of an event of a write to the sysctl, as `--json` prints it.
fn id(line: &str) -> Option<String> {
    let is_it = line.contains("\"class\":\"sysctl_write\"") && line.contains("\"letter\":\"U\"");
    let (_, rest) = line.split_once("\"id\":\"").filter(|_| is_it)?;
    Some(rest.split_once('"')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_id_of_the_right_event() {
        let event = r#"{"schema":1,"id":"ab-1","seq":2,"taint":{"letter":"U"},"cause":{"class":"sysctl_write"}}"#;
        assert_eq!(id(event).as_deref(), Some("ab-1"));
        assert_eq!(id(&event.replace("\"U\"", "\"P\"")), None);
        assert_eq!(id("taintwatch: no"), None);
    }
}
