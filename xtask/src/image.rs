//! The initial file systems that guests share: one archive for each kernel, made once a run.
//!
//! In: a kernel, the built programs, the test modules. Out: the path of an archive; a guest's own job is a second
//! archive behind it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::{
    apt, build, cache, initramfs::Initramfs, kernels::Kernel, modules, patched, progress::step,
};

/// What was made in this run, or why it could not be: nothing is tried again for the next guest.
type Made = Result<PathBuf, String>;
static MADE: Mutex<BTreeMap<String, Made>> = Mutex::new(BTreeMap::new());

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

/// The archive of this name, made by the first who asks; others wait.
pub(crate) fn once(name: &str, files: impl FnOnce() -> Result<Initramfs>) -> Result<PathBuf> {
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let made = made
        .entry(name.to_owned())
        .or_insert_with(|| write(name, files).map_err(|error| format!("{error:#}")));
    made.clone().map_err(|why| anyhow!(why))
}

fn write(name: &str, files: impl FnOnce() -> Result<Initramfs>) -> Result<PathBuf> {
    let path = folder()?.join(format!("{name}.base"));
    let files = files()?;
    // Another run may read the one that is there.
    let part = path.with_extension(format!("part-{}", std::process::id()));
    let file = File::create(&part).with_context(|| format!("make {}", part.display()))?;
    let mut out = BufWriter::new(file);
    files.write(&mut out)?;
    out.flush()
        .with_context(|| format!("write {}", part.display()))?;
    fs::rename(&part, &path).with_context(|| format!("put {} in place", path.display()))?;
    Ok(path)
}

/// Where guests' archives, disks and consoles lie.
pub(crate) fn folder() -> Result<PathBuf> {
    let folder = cache::checkout()?.join("target/guests");
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

/// PID 1, a shell, taintwatch, and the test modules where they can be built.
pub(crate) fn base(kernel: &Kernel) -> Result<PathBuf> {
    once(&kernel.series, || {
        let dist = build::dist()?;
        let mut files = Initramfs::default();
        files.copy(&dist.join("guest/init"), "init")?;
        files.copy(&dist.join("guest/scenarios"), "usr/bin/scenarios")?;
        files.copy(&dist.join("guest/constrain"), "usr/bin/constrain")?;
        files.copy(&dist.join("guest/bench"), "usr/bin/bench")?;
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
    })
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

/// Adds stock modules, each behind those that it needs, as `/stock/NN-name.ko` in the order of loading; kernels have a
/// part of them built in.
pub(crate) fn add_modules(kernel: &Kernel, names: &[&str], files: &mut Initramfs) -> Result<()> {
    let mut modules = Vec::new();
    for name in names {
        patched::with_needs(kernel, name, &mut modules)?;
    }
    for (number, (name, bytes)) in modules.into_iter().enumerate() {
        files.file(&format!("stock/{number:02}-{name}.ko"), 0o644, bytes);
    }
    Ok(())
}

pub(crate) fn busybox() -> Result<PathBuf> {
    let unpacked = {
        let _lock = cache::lock("busybox")?;
        cache::once("busybox", |path: &Path| {
            step("fetch busybox", || {
                apt::unpack(&["busybox-static".to_owned()], path)
            })
        })?
    };
    let places = ["usr/bin/busybox", "bin/busybox"].map(|place| unpacked.join(place));
    match places.into_iter().find(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => bail!(
            "the package busybox-static has no busybox in {}",
            unpacked.display()
        ),
    }
}
