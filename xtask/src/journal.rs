//! A guest whose PID 1 is systemd, with its own journald: a Debian of the smallest kind, packed as the
//! initial file system.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::unistd::geteuid;

use crate::{
    apt, build, cache, image,
    initramfs::Initramfs,
    kernels::Kernel,
    modules, patched,
    progress::step,
    qemu::{BEGAN, Guest},
    run,
};

const SUITE: &str = "trixie";
const PACKAGES: &str = "systemd,systemd-sysv,udev,kmod";
/// The whole system lies in memory, twice while it is unpacked.
const MEMORY_MIB: u32 = 3072;
const LIMIT: Duration = Duration::from_mins(20);

/// The job as systemd runs it; its output goes to the channel, in the words that PID 1 of other guests uses.
pub(crate) const UNIT: &str = "[Unit]\nDescription=the scenarios\nAfter=systemd-journald.service multi-user.target\n\
    [Service]\nType=oneshot\nStandardOutput=tty\nStandardError=tty\nTTYPath=/dev/ttyS1\nExecStart=/bin/sh /etc/job\n\
    [Install]\nWantedBy=multi-user.target\n";

/// A guest that runs a shell script.
pub(crate) fn guest(kernel: &Kernel, name: &str, script: &str) -> Result<Guest> {
    let job = format!(
        "( {script} )\nstatus=$?\necho\necho \"guest: exit $status\"\nsystemctl poweroff --force\n"
    );
    let mut files = Initramfs::default();
    files.file("etc/job", 0o755, job.into());
    Ok(Guest {
        name: format!("{name}-{}", kernel.series),
        image: kernel.image.clone(),
        base: image::once(&format!("systemd-{}", kernel.series), || base(kernel))?,
        files,
        memory_mib: MEMORY_MIB,
        append: "systemd.show_status=0 systemd.journald.forward_to_console=0",
        disk: None,
        limit: LIMIT,
        survives_panic: false,
        counts_instructions: false,
    })
}

fn base(kernel: &Kernel) -> Result<Initramfs> {
    let dist = build::dist()?;
    let mut files = Initramfs::default();
    files.tree(&root()?, "")?;
    let modules = modules::get(kernel)?;
    files.tree(&modules, "modules")?;
    install(kernel, &modules, &mut files)?;
    patched::add(kernel, &mut files)?;
    files.copy(&dist.join("guest/scenarios"), "usr/bin/scenarios")?;
    files.copy(&dist.join("taintwatch"), "usr/bin/taintwatch")?;
    let init = format!(
        "#!/bin/sh\nmount -t devtmpfs devtmpfs /dev\necho '{BEGAN}' > /dev/ttyS1\nexec /usr/lib/systemd/systemd\n"
    );
    files.file("init", 0o755, init.into());
    files.file("etc/systemd/system/scenarios.service", 0o644, UNIT.into());
    files.link(
        "etc/systemd/system/multi-user.target.wants/scenarios.service",
        "../scenarios.service",
    );
    files.link(
        "etc/systemd/system/default.target",
        "/usr/lib/systemd/system/multi-user.target",
    );
    Ok(files)
}

/// Modules where kmod and udev look for them, after `depmod`; one is packed.
fn install(kernel: &Kernel, modules: &Path, files: &mut Initramfs) -> Result<()> {
    let folder = format!("usr/lib/modules/{}/extra", kernel.release);
    for name in ["tw_device", "tw_driver", "tw_pinned"] {
        let file = format!("{name}.ko");
        files.copy(&modules.join(&file), &format!("{folder}/{file}"))?;
    }
    let packed = Command::new("xz")
        .args(["--check=crc32", "--stdout"])
        .arg(modules.join("tw_gpl.ko"))
        .output()
        .context("run xz")?;
    ensure!(packed.status.success(), "xz: {}", packed.status);
    files.file(&format!("{folder}/tw_gpl.ko.xz"), 0o644, packed.stdout);
    Ok(())
}

pub(crate) fn root() -> Result<PathBuf> {
    debian("chroot/systemd-udev", PACKAGES)
}

/// The same with what makes initial file systems, a runtime of containers, and rpm.
pub(crate) fn whole_root() -> Result<PathBuf> {
    let packages = format!("{PACKAGES},initramfs-tools,crun,rpm");
    debian("chroot/systemd-whole", &packages)
}

fn debian(name: &str, packages: &str) -> Result<PathBuf> {
    let _lock = cache::lock("systemd")?;
    cache::once(name, |path| {
        if !geteuid().is_root() {
            bail!(
                "the systemd guest needs a chroot, which root alone can make: run this as root once"
            );
        }
        step("make a Debian with systemd", || {
            let mut make = Command::new("mmdebstrap");
            make.args(["--variant=minbase", &format!("--include={packages}"), SUITE]);
            for left_out in ["doc", "man", "info", "locale", "i18n", "zoneinfo"] {
                make.arg(format!("--dpkgopt=path-exclude=/usr/share/{left_out}/*"));
            }
            make.arg("--customize-hook=rm -rf \"$1\"/var/lib/apt/lists/* \"$1\"/var/cache/*");
            run::quiet(make.arg(path).arg(apt::mirror()?.main)).map(drop)
        })
    })
}
