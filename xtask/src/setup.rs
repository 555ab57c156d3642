//! Makes a machine able to build and test everything. Idempotent: what is there is left alone.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use anyhow::{Context as _, Result, bail};
use nix::unistd::geteuid;

use crate::{
    apt, cache,
    progress::step,
    run,
    tools::{self, BPF_LINKER},
};

/// Programs and the packages that have them.
const PROGRAMS: [(&str, &str); 7] = [
    ("/usr/bin/qemu-system-x86_64", "qemu-system-x86"),
    ("/usr/bin/chromium", "chromium"),
    ("/usr/bin/mmdebstrap", "mmdebstrap"),
    ("/usr/sbin/mkfs.ext4", "e2fsprogs"),
    ("/usr/sbin/mkfs.btrfs", "btrfs-progs"),
    ("/usr/bin/openssl", "openssl"),
    (
        "/lib/systemd/systemd-journal-remote",
        "systemd-journal-remote",
    ),
];

/// Does what is left to be done.
pub(crate) fn run() -> Result<()> {
    packages()?;
    tools()
}

/// What building needs besides packages.
pub(crate) fn tools() -> Result<()> {
    let _lock = cache::lock("setup")?;
    rust_src()?;
    bpf_linker()
}

/// Programs of the machine's own suite.
pub(crate) fn packages() -> Result<()> {
    let _lock = cache::lock("setup")?;
    let missing: Vec<_> = PROGRAMS
        .iter()
        .filter(|(path, _)| !Path::new(path).exists())
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let install = format!(
        "apt-get update && apt-get install -y --no-install-recommends {}",
        missing.join(" ")
    );
    if !geteuid().is_root() {
        bail!(
            "packages are missing; run this as root and then try again:\n  sudo sh -c '{install}'"
        );
    }
    step(&format!("install {}", missing.join(", ")), || {
        run::quiet(
            Command::new("sh")
                .args(["-c", &install])
                .env("DEBIAN_FRONTEND", "noninteractive"),
        )
    })?;
    Ok(())
}

/// `core` for BPF is built from source.
fn rust_src() -> Result<()> {
    let sysroot = run::quiet(Command::new("rustc").args(["--print", "sysroot"]))?;
    let component = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library");
    let folder = cache::dir()?.join("rust-src");
    if component.is_dir() || folder.join("library").is_dir() {
        return Ok(());
    }
    let rustup = step(
        "fetch the sources of Rust's core library with rustup",
        || run::quiet(Command::new("rustup").args(["component", "add", "rust-src"])),
    );
    // What it says is one thing; what is there afterwards counts.
    if rustup.is_ok() && component.is_dir() {
        return Ok(());
    }
    let version = tools::toolchain().context("rust-toolchain.toml names no channel")?;
    let package = format!("rust-src={version}+dfsg1*");
    let folder = cache::once("rust-src", |path| {
        step(
            "fetch the sources of Rust's core library as Debian packages them",
            || apt::unpack(&[package], path),
        )
    })?;
    let sources = fs::read_dir(folder.join("usr/src"))?.find_map(Result::ok);
    let sources = sources
        .context("the rust-src package has no usr/src")?
        .file_name();
    let target = Path::new("usr/src").join(sources).join("library");
    symlink(target, folder.join("library")).context("link the sources of Rust's core library")
}

fn bpf_linker() -> Result<()> {
    let root = tools::bpf_linker(&cache::dir()?);
    if root.join("bin/bpf-linker").is_file() {
        return Ok(());
    }
    step(
        &format!("build bpf-linker {BPF_LINKER} (some minutes, once)"),
        || {
            let mut cargo = Command::new("cargo");
            cargo.args([
                "install",
                "--quiet",
                "bpf-linker",
                "--version",
                BPF_LINKER,
                "--locked",
                "--root",
            ]);
            // The checkout's settings are not meant for other programs.
            run::quiet(
                cargo
                    .arg(&root)
                    .current_dir(cache::dir()?)
                    .env_remove("RUSTFLAGS"),
            )
        },
    )?;
    Ok(())
}
