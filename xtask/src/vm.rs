//! `cargo xtask vm`: a throwaway guest with taintwatch and the test modules in it.

use std::{io::Write as _, path::Path, time::Duration};

use anyhow::{Result, bail};

use crate::{
    acpi, apt, build, cache,
    initramfs::Initramfs,
    kernels::{self, Kernel},
    modules, patched,
    progress::step,
    qemu::{Ended, Flow, Guest},
};

/// Enough for a job of any kind; a hanging guest ends here.
const LIMIT: Duration = Duration::from_mins(10);
const MEMORY_MIB: u32 = 1024;
/// For the objects that a test module overwrites.
const ALLOCATOR_CHECKS: &str = "slub_debug=FZ,kmalloc-64";
/// What a file system on a disk needs, in the order of loading; kernels have a part of them built in.
const DISK: [&str; 13] = [
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "virtio_blk",
    "crc16",
    "crc32c_generic",
    "crc32c-cryptoapi",
    "libcrc32c",
    "mbcache",
    "jbd2",
    "ext4",
];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The kernel's series: 5.10, 6.1, 6.12, 6.18 or 7.3
    kernel: String,
    /// Give the kernel an ACPI table in the firmware's place: it boots tainted
    #[arg(long)]
    acpi_table: bool,
    /// The command; none for a shell
    #[arg(last = true)]
    command: Vec<String>,
}

/// Runs the command, or a shell.
pub(crate) fn run(args: &Args) -> Result<u8> {
    let kernel = kernels::get(&args.kernel)?;
    let mut files = files(&kernel)?;
    let words: Vec<_> = args
        .command
        .iter()
        .map(|word| format!("'{}'", word.replace('\'', r"'\''")))
        .collect();
    let job = if words.is_empty() {
        "exec setsid -c sh -i".to_owned()
    } else {
        words.join(" ")
    };
    files.file("etc/job", 0o755, job.into_bytes());
    if args.acpi_table {
        files.file(acpi::PATH, 0o644, acpi::table());
    }
    let guest = guest(&kernel, &files, "vm");
    if args.command.is_empty() {
        println!(
            "a guest with {}; taintwatch and /modules are in it; leave with `exit`",
            kernel.release
        );
        guest.interact()?;
        return Ok(0);
    }
    let ended = guest.run(|line| {
        // A closed pipe ends the guest.
        if writeln!(std::io::stdout(), "{line}").is_ok() {
            Flow::Continue
        } else {
            Flow::Kill
        }
    })?;
    match ended {
        Ended::Exited(status) => Ok(status),
        Ended::Killed => bail!("the guest was ended: nobody reads its output"),
    }
}

/// A guest with the usual size.
pub(crate) fn guest<'a>(kernel: &'a Kernel, files: &'a Initramfs, name: &str) -> Guest<'a> {
    Guest {
        name: format!("{name}-{}", kernel.series),
        image: &kernel.image,
        initramfs: files,
        memory_mib: MEMORY_MIB,
        append: ALLOCATOR_CHECKS,
        disk: None,
        limit: LIMIT,
        survives_panic: false,
    }
}

/// PID 1, a shell, taintwatch, and the test modules where they can be built.
pub(crate) fn files(kernel: &Kernel) -> Result<Initramfs> {
    let dist = build::dist()?;
    let mut files = Initramfs::default();
    files.copy(&dist.join("guest/init"), "init")?;
    files.copy(&dist.join("guest/scenarios"), "usr/bin/scenarios")?;
    files.copy(&dist.join("guest/constrain"), "usr/bin/constrain")?;
    files.copy(&dist.join("taintwatch"), "usr/bin/taintwatch")?;
    files.copy(&busybox()?, "bin/busybox")?;
    files.link("bin/sh", "busybox");
    // Ours tries once; busybox's own tries a second way after a failure.
    files.link("usr/bin/insmod", "scenarios");
    // What the kernel calls when it wants a module.
    files.link("usr/bin/modprobe", "scenarios");
    for folder in ["proc", "sys", "dev", "run", "tmp", "var/lib", "mnt"] {
        files.folder(folder);
    }
    patched::add(kernel, &mut files)?;
    if kernel.has_headers {
        files.tree(&modules::get(kernel)?, "modules")?;
    }
    Ok(files)
}

/// Adds the stock modules that a disk needs, as `/stock/NN-name.ko` in the order of loading.
pub(crate) fn add_disk_modules(kernel: &Kernel, files: &mut Initramfs) -> Result<()> {
    for (number, wanted) in DISK.iter().enumerate() {
        if let Some(bytes) = patched::stock(kernel, wanted)? {
            files.file(&format!("stock/{number:02}-{wanted}.ko"), 0o644, bytes);
        }
    }
    Ok(())
}

fn busybox() -> Result<std::path::PathBuf> {
    let unpacked = cache::once("busybox", |path: &Path| {
        step("fetch busybox", || {
            apt::unpack(&["busybox-static".to_owned()], path)
        })
    })?;
    let places = ["usr/bin/busybox", "bin/busybox"].map(|place| unpacked.join(place));
    match places.into_iter().find(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => bail!(
            "the package busybox-static has no busybox in {}",
            unpacked.display()
        ),
    }
}
