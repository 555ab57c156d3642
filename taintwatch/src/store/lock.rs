//! One recorder per history: a lock that its process releases, however it ends.
//!
//! In: the history's path. Out: the lock, or whether another process holds it. It is `flock(2)`, which every version of
//! taintwatch takes.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Held by the recorder.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "what counts is that it is held")] File);

/// Takes the lock; `None` when another process has it.
pub fn take(db: &Path) -> io::Result<Option<Lock>> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .open(path(db))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether a recorder runs.
#[must_use]
pub fn is_held(db: &Path) -> bool {
    let Ok(file) = File::open(path(db)) else {
        return false;
    };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
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
