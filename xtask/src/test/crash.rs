//! A kernel panics while it is watched; the next boot has what the dead one could not record, in the right boot.
//!
//! The machine's memory stays as it is over the reboot, and a part of it is kept from the kernel for `ramoops`.

use anyhow::{Context as _, Result, ensure};

use super::power_cut;
use crate::{
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
pub(super) fn run(kernel: &Kernel) -> Result<()> {
    let disk = power_cut::disk(kernel, "crash")?;
    let mut files = vm::files(kernel)?;
    vm::add_disk_modules(kernel, &mut files)?;
    for (number, name) in ["reed_solomon", "ramoops"].into_iter().enumerate() {
        let module = patched::stock(kernel, name)?;
        let module = module.with_context(|| format!("{} has no {name}", kernel.release))?;
        files.file(&format!("crash/{number}-{name}.ko"), 0o644, module);
    }
    let mount = power_cut::MOUNT;
    let job = format!(
        "{mount}insmod /crash/0-reed_solomon.ko; insmod /crash/1-ramoops.ko {RAMOOPS} || exit 8\n\
         mount -t pstore pstore /sys/fs/pstore || exit 7\n\
         if [ -e /mnt/second ]; then exec scenarios crashed {DB}; fi\n\
         touch /mnt/second; sync; exec scenarios crash {DB}\n"
    );
    files.file("etc/job", 0o755, job.into_bytes());
    let mut guest = vm::guest(kernel, &files, "crash");
    guest.disk = Some(&disk);
    guest.append = APPEND;
    guest.survives_panic = true;
    let mut said = Vec::new();
    let ended = guest.run(|line| {
        said.push(line.to_owned());
        Flow::Continue
    })?;
    ensure!(
        ended == Ended::Exited(0) && said.iter().any(|line| line == "PASS crashed"),
        "{ended:?}; it said:\n{}",
        said.join("\n")
    );
    Ok(())
}
