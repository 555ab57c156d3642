//! The test modules of `tests/modules`, built for a kernel in a Debian chroot whose compiler fits all.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use nix::unistd::geteuid;

use crate::{
    apt, cache,
    kernels::{self, Kernel},
    progress::step,
    run,
};

/// The suite whose gcc and glibc the newest kernels' build tools want; the older ones take them too.
const SUITE: &str = "trixie";
const PACKAGES: &str = "gcc,make,libelf1t64,libc6-dev,pahole,kmod,bc";

/// The folder of the built modules, built when sources or kernel are new.
pub(crate) fn get(kernel: &Kernel) -> Result<PathBuf> {
    let sources = cache::checkout()?.join("tests/modules");
    let headers = kernels::headers(kernel)?;
    let _lock = cache::lock("modules")?;
    let name = format!("modules/{}-{:016x}", kernel.release, hash(&sources)?);
    let chroot = builder()?;
    cache::once(&name, |path| {
        step(
            &format!("build the test modules for {}", kernel.release),
            || build(kernel, &sources, &headers, &chroot, path),
        )
    })
}

fn hash(sources: &Path) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    let mut files: Vec<_> = fs::read_dir(sources)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .collect();
    files.sort();
    for file in files {
        file.hash(&mut hasher);
        fs::read(&file)
            .with_context(|| format!("read {}", file.display()))?
            .hash(&mut hasher);
    }
    Ok(hasher.finish())
}

fn builder() -> Result<PathBuf> {
    cache::once("chroot/builder", |path| {
        if !geteuid().is_root() {
            bail!(
                "building modules needs a chroot, which root alone can make: run this as root once"
            );
        }
        step("make a Debian chroot with a compiler", || {
            let mut make = Command::new("mmdebstrap");
            make.args(["--variant=minbase", &format!("--include={PACKAGES}"), SUITE]);
            run::quiet(make.arg(path).arg(apt::mirror()?.main)).map(drop)
        })
    })
}

/// Headers lie in the chroot where their own makefiles look for each other. Unpacked straight over it,
/// a package's `lib` folder would replace the chroot's link of that name.
fn build(kernel: &Kernel, sources: &Path, headers: &Path, chroot: &Path, to: &Path) -> Result<()> {
    let copy = |from: PathBuf, to: PathBuf| -> Result<()> {
        if from.is_dir() {
            fs::create_dir_all(&to)?;
            run::quiet(Command::new("cp").arg("-a").arg(from.join(".")).arg(to))?;
        }
        Ok(())
    };
    copy(headers.join("usr/src"), chroot.join("usr/src"))?;
    copy(headers.join("usr/lib"), chroot.join("usr/lib"))?;
    let work = chroot.join("build").join(&kernel.release);
    copy(sources.to_owned(), work.clone())?;
    // The newer objtool reads /proc; a private mount goes with the process that made it.
    let enter = "mount --rbind /proc \"$0/proc\" && exec chroot \"$0\" make \"$@\"";
    let mut make = Command::new("unshare");
    make.args(["--mount", "sh", "-c", enter]).arg(chroot);
    make.args([
        "--silent",
        "-C",
        &format!("/usr/src/linux-headers-{}", kernel.release),
    ]);
    make.arg(format!("M=/build/{}", kernel.release));
    // The headers name the compiler of their own suite.
    make.args(["CC=gcc", "HOSTCC=gcc"]);
    // One module needs a symbol that does not exist: a warning then, not an error.
    make.args(["KBUILD_MODPOST_WARN=1", "modules"]);
    run::quiet(&mut make)?;
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(&work)?.filter_map(Result::ok) {
        if entry.path().extension().is_some_and(|kind| kind == "ko") {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    fs::remove_dir_all(&work).with_context(|| format!("remove {}", work.display()))
}
