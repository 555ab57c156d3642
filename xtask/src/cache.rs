//! Where downloads and what is made of them are kept, outside the tree.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow};
use nix::fcntl::{Flock, FlockArg};

use crate::tools;

/// The folder, made where it is not there.
pub(crate) fn dir() -> Result<PathBuf> {
    let dir = tools::cache()
        .context("neither TAINTWATCH_CACHE nor HOME is set: there is no place for a cache")?;
    fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
    Ok(dir)
}

/// The checkout.
pub(crate) fn checkout() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(manifest
        .parent()
        .context("xtask lies at the root of the file system")?
        .to_owned())
}

/// One at a time changes a part of the cache, be it a process or a thread; the lock goes with the value.
pub(crate) fn lock(part: &str) -> Result<Flock<File>> {
    let path = dir()?.join(format!("{part}.lock"));
    let file = File::create(&path).with_context(|| format!("open {}", path.display()))?;
    Flock::lock(file, FlockArg::LockExclusive)
        .map_err(|(_, error)| anyhow!("lock {}: {error}", path.display()))
}

/// A folder or file of the cache, made by `make` when it is not there; half-made ones never stay.
pub(crate) fn once(name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let path = dir()?.join(name);
    if path.exists() {
        return Ok(path);
    }
    let part = path.with_file_name(format!(
        "{}.part",
        path.file_name().unwrap_or_default().to_string_lossy()
    ));
    remove(&part)?;
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    make(&part)?;
    fs::rename(&part, &path).with_context(|| format!("put {} in place", path.display()))?;
    Ok(path)
}

fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove the left-over {}", path.display()))
        }
        _ => Ok(()),
    }
}
