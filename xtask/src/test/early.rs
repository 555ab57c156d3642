//! A boot as a machine has it: an initial file system of initramfs-tools with the hook of the package, and a root on a disk.
//!
//! In: the package, the kernel's own modules, a Debian with initramfs-tools and crun. Out: what the scenario in the guest prints.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use super::{guests::judged, matrix::Matrix};
use crate::{
    build, image,
    initramfs::Initramfs,
    journal::{self, UNIT},
    kernels::Kernel,
    modules, package,
    progress::step,
    qemu::{BEGAN, Guest},
    run,
};

const DISK_SIZE: &str = "1500M";
const LIMIT: Duration = Duration::from_mins(20);
/// What a runtime needs to know of the daemon's container.
const CONTAINER: &str = include_str!("../../../packaging/container/config.json");
/// What the disk needs: initramfs-tools finds out by itself only on the machine that it is for.
const MODULES: &str = "virtio_pci\nvirtio_blk\next4\n";

pub(super) fn run(kernel: &Kernel, matrix: &mut Matrix) -> Result<()> {
    let root = new_root()?;
    matrix.check(
        "the .rpm: signatures of files, scripts, removal",
        rpm(&root),
    );
    let made = step("make a Debian with an initial file system", || {
        make(kernel, &root)
    });
    let (initramfs, disk) = made?;
    let guest = Guest {
        name: format!("early-{}", kernel.series),
        image: kernel.image.clone(),
        base: initramfs,
        files: Initramfs::default(),
        memory_mib: 2048,
        append: "root=/dev/vda rw systemd.show_status=0",
        disk: Some(disk),
        limit: LIMIT,
        survives_panic: false,
        counts_instructions: false,
    };
    judged(&guest, "systemd", false, matrix)
}

/// A copy of the Debian.
fn new_root() -> Result<PathBuf> {
    let root = image::folder()?.join("early-root");
    if root.exists() {
        fs::remove_dir_all(&root).context("remove an earlier root")?;
    }
    copy(&journal::whole_root()?, &root)?;
    Ok(root)
}

/// What rpm says of the package; and its scripts, in a root where systemd does not run.
fn rpm(root: &Path) -> Result<()> {
    const FILE: &str = "/taintwatch.rpm";
    let inside = |path: &str| root.join(path.trim_start_matches('/'));
    fs::copy(package::of("rpm")?, inside(FILE))?;
    chroot(root, &["rpm", "--checksig", "--nosignature", FILE])?;
    let asked = |what: &str| chroot(root, &["rpm", "--query", "--package", what, FILE]);
    let requires = asked("--requires")?;
    ensure!(
        requires.lines().any(|line| line.trim() == "systemd"),
        "requires: {requires}"
    );
    let configuration = asked("--configfiles")?;
    ensure!(
        configuration.trim() == "/etc/taintwatch/taintwatch.toml",
        "configuration: {configuration}"
    );
    // Debian's systemd is not in the database of rpm. Plugins mount, for which a root has to be a mount point.
    chroot(root, &["rpm", "--install", "--nodeps", "--noplugins", FILE])?;
    chroot(root, &["rpm", "--verify", "--nodeps", "taintwatch"])?;
    chroot(root, &["getent", "group", "taintwatch"]).context("its script made no group")?;
    chroot(root, &["taintwatch", "config", "check"])?;
    chroot(root, &["systemctl", "enable", "taintwatch"])?;
    chroot(root, &["rpm", "--erase", "--noplugins", "taintwatch"])?;
    for left in [
        "/usr/bin/taintwatch",
        "/etc/taintwatch",
        "/etc/systemd/system/sysinit.target.wants/taintwatch.service",
    ] {
        let left = inside(left);
        ensure!(
            left.symlink_metadata().is_err(),
            "{} is left behind",
            left.display()
        );
    }
    fs::remove_file(inside(FILE))?;
    Ok(())
}

/// The initial file system, and the disk.
fn make(kernel: &Kernel, root: &Path) -> Result<(PathBuf, PathBuf)> {
    let folder = image::folder()?;
    let stock = root.join("usr/lib/modules").join(&kernel.release);
    fs::create_dir_all(root.join("usr/lib/modules"))?;
    copy(&kernel.modules, &stock)?;
    fs::write(root.join("etc/initramfs-tools/modules"), MODULES)?;
    fs::write(
        root.join("etc/initramfs-tools/conf.d/driver-policy"),
        "MODULES=list\nCOMPRESS=gzip\n",
    )?;
    let configuration = root.join("boot").join(format!("config-{}", kernel.release));
    fs::write(configuration, "CONFIG_RD_GZIP=y\n")?;
    fs::copy(package::of("deb")?, root.join("taintwatch.deb"))?;
    fs::copy(
        build::dist()?.join("guest/scenarios"),
        root.join("usr/bin/scenarios"),
    )?;
    copy(&modules::get(kernel)?, &root.join("modules"))?;
    fs::write(root.join("config.json"), CONTAINER)?;
    job(root)?;
    chroot(root, &["dpkg", "--install", "/taintwatch.deb"])?;
    chroot(root, &["systemctl", "enable", "taintwatch", "scenarios"])?;
    chroot(root, &["depmod", &kernel.release])?;
    chroot(root, &["mkinitramfs", "-o", "/initrd", &kernel.release])?;
    let initramfs = folder.join(format!("early-{}.base", kernel.series));
    fs::rename(root.join("initrd"), &initramfs)?;
    let disk = folder.join(format!("early-{}.img", kernel.series));
    _ = fs::remove_file(&disk);
    let mut make = Command::new("/usr/sbin/mke2fs");
    make.args(["-q", "-t", "ext4", "-d"]).arg(root);
    run::quiet(make.arg(&disk).arg(DISK_SIZE)).context("make the disk")?;
    fs::remove_dir_all(root).context("remove the root")?;
    Ok((initramfs, disk))
}

/// The scenarios run as a unit, as in the other guests with systemd.
fn job(root: &Path) -> Result<()> {
    let job = format!(
        "#!/bin/sh\necho '{BEGAN}'\nscenarios early\nstatus=$?\necho\necho \"guest: exit $status\"\n\
         systemctl poweroff --force\n"
    );
    fs::write(root.join("etc/job"), job)?;
    fs::write(root.join("etc/systemd/system/scenarios.service"), UNIT)?;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut copy = Command::new("cp");
    run::quiet(copy.arg("--archive").arg(from).arg(to))
        .map(drop)
        .with_context(|| format!("copy {}", from.display()))
}

fn chroot(root: &Path, words: &[&str]) -> Result<String> {
    let mut command = Command::new("chroot");
    command.arg(root).args(words).env("LC_ALL", "C");
    run::quiet(&mut command)
}
