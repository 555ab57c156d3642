//! Modules on btrfs, on an overlay and in a container: a guest with a disk, and the kernel's own modules for it.

use std::process::Command;

use anyhow::{Context as _, Result};

use super::{guests::judged, matrix::Matrix};
use crate::{image, kernels::Kernel, patched, run, vm};

/// The kernels where it runs: the oldest, whose `fdinfo` has no number of the inode, and the newest.
pub(super) const KERNELS: [&str; 2] = ["5.10", "7.3"];
/// `crc32c_generic` is what btrfs asks for by an alias.
const MODULES: [&str; 6] = [
    "virtio_pci",
    "virtio_blk",
    "crc32c_generic",
    "btrfs",
    "overlay",
    "fuse",
];
/// The least that `mkfs.btrfs` takes is about half.
const SIZE: u64 = 256 << 20;

pub(super) fn run(kernel: &Kernel, matrix: &mut Matrix) -> Result<()> {
    let job = "for m in /stock/*.ko; do insmod $m 2>/dev/null; done\n\
         mount -t btrfs /dev/vda /mnt || { ls /stock /dev/vd*; dmesg | tail -n 15; exit 9; }\n\
         exec scenarios file-systems\n";
    let mut guest = vm::guest(kernel, "file-systems", job)?;
    image::add_modules(kernel, &MODULES, &mut guest.files)?;
    let signed = patched::stock(kernel, patched::MODULE)?;
    let signed = signed.with_context(|| format!("{} has no such module", kernel.release))?;
    guest.files.file("signed/dummy.ko", 0o644, signed);
    let disk = image::folder()?.join(format!("file-systems-{}.img", kernel.series));
    std::fs::File::create(&disk)?.set_len(SIZE)?;
    run::quiet(Command::new("/usr/sbin/mkfs.btrfs").arg("-q").arg(&disk))
        .context("make a file system")?;
    guest.disk = Some(disk);
    judged(&guest, &kernel.series, false, matrix)
}
