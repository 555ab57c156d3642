//! One recorder a history: a lock that goes with its process, however that ends.
//!
//! In: the history's path. Out: the lock, or whether somebody has it.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

/// Held by the recorder.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "what counts is that it is held")] Flock<File>);

/// Takes the lock; `None` when another process has it.
pub fn take(db: &Path) -> io::Result<Option<Lock>> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .open(path(db))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(Lock(lock))),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(errno.into()),
    }
}

/// Whether a recorder runs.
#[must_use]
pub fn is_held(db: &Path) -> bool {
    let Ok(file) = File::open(path(db)) else {
        return false;
    };
    matches!(
        Flock::lock(file, FlockArg::LockSharedNonblock),
        Err((_, Errno::EWOULDBLOCK))
    )
}

fn path(db: &Path) -> PathBuf {
    let mut name = OsString::from(db);
    name.push(".lock");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("events.db");
        assert!(!is_held(&db));
        let lock = take(&db).unwrap();
        assert!(lock.is_some() && is_held(&db) && take(&db).unwrap().is_none());
        drop(lock);
        assert!(!is_held(&db));
    }
}
