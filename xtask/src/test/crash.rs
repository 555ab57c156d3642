//! A kernel panics while it is watched; the next boot has what the dead one could not record, in the right boot.
//!
//! The machine's memory stays as it is over the reboot, and a part of it is kept from the kernel for `ramoops`.

use anyhow::{Context as _, Result, ensure};

use super::{guests::run_guest, matrix::Matrix, power_cut};
use crate::{
    image,
    kernels::Kernel,
    patched,
    qemu::{Ended, Flow},
    vm,
};

/// A mebibyte below the memory's end, out of the initial file system's way.
const APPEND: &str = "memmap=1M$0x30000000 slub_debug=FZ,kmalloc-64";
const RAMOOPS: &str = "mem_address=0x30000000 mem_size=0x100000 record_size=0x10000";
const DB: &str = "/mnt/events.db";

/// Both boots run the same job: the first leaves a mark on the disk.
pub(super) fn run(kernel: &Kernel, matrix: &mut Matrix) -> Result<()> {
    let mount = power_cut::MOUNT;
    let job = format!(
        "{mount}insmod /crash/0-reed_solomon.ko; insmod /crash/1-ramoops.ko {RAMOOPS} || exit 8\n\
         mount -t pstore pstore /sys/fs/pstore || exit 7\n\
         if [ -e /mnt/second ]; then exec scenarios crashed {DB}; fi\n\
         touch /mnt/second; sync; exec scenarios crash {DB}\n"
    );
    let mut guest = vm::guest(kernel, "crash", &job)?;
    image::add_disk_modules(kernel, &mut guest.files)?;
    for (number, name) in ["reed_solomon", "ramoops"].into_iter().enumerate() {
        let module = patched::stock(kernel, name)?;
        let module = module.with_context(|| format!("{} has no {name}", kernel.release))?;
        let path = format!("crash/{number}-{name}.ko");
        guest.files.file(&path, 0o644, module);
    }
    guest.disk = Some(power_cut::disk(kernel, "crash")?);
    guest.append = APPEND;
    guest.survives_panic = true;
    let mut printed = Vec::new();
    let ended = run_guest(&guest, matrix, |line, _| {
        printed.push(line.to_owned());
        Flow::Continue
    })?;
    ensure!(
        ended == Ended::Exited(0) && printed.iter().any(|line| line == "PASS crashed"),
        "{ended:?}; it printed:\n{}",
        printed.join("\n")
    );
    Ok(())
}
