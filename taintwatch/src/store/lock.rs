//! One recorder per history: a lock that its process releases, however it ends.
//!
//! In: the history's path. Out: the lock, or whether another process holds it. It is `flock(2)`, which every version of
//! taintwatch takes. Only root can open the file: whoever can open it could hold the lock.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use super::error::Error;

/// Held by the recorder.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "what counts is that it is held")] File);

/// Takes the lock, or says why it cannot be had.
pub fn of_history(db: &Path) -> Result<Lock, Error> {
    let shown = || db.display().to_string();
    super::open::folder(db)?;
    match take(db) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err(Error::Taken(shown())),
        Err(error) => Err(Error::Lock {
            path: shown(),
            error,
        }),
    }
}

/// Whether a recorder has recorded to it, so that it is no file of another program: its empty lock lies beside it.
#[must_use]
pub fn is_own(db: &Path) -> bool {
    let lock = fs::symlink_metadata(path(db));
    db == Path::new(super::DEFAULT_PATH) || lock.is_ok_and(|is| is.is_file() && is.len() == 0)
}

/// Takes the lock; `None` when another process has it.
pub fn take(db: &Path) -> io::Result<Option<Lock>> {
    let path = path(db);
    let (lock, was_open) = try_take(&path)?;
    if lock.is_some() || !was_open {
        return Ok(lock);
    }
    // An earlier version let everybody open the file, and so hold the lock: a new file has no other holder. Another
    // recorder still has the socket.
    fs::remove_file(&path)?;
    Ok(try_take(&path)?.0)
}

/// The lock, and whether others than its owner could open its file.
fn try_take(path: &Path) -> io::Result<(Option<Lock>, bool)> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(false);
    let file = options
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    let was_open = file.metadata()?.mode() & 0o077 != 0;
    if was_open && let Err(error) = file.set_permissions(fs::Permissions::from_mode(0o600)) {
        log::warn!("close {} to others: {error}", path.display());
    }
    match file.try_lock() {
        Ok(()) => Ok((Some(Lock(file)), was_open)),
        Err(TryLockError::WouldBlock) => Ok((None, was_open)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether a recorder runs; `None` for who may not look.
#[must_use]
pub fn is_held(db: &Path) -> Option<bool> {
    let file = match File::open(path(db)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Some(false),
        Err(_not_allowed) => return None,
    };
    Some(matches!(
        file.try_lock_shared(),
        Err(TryLockError::WouldBlock)
    ))
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
        assert_eq!(is_held(&db), Some(false));
        let lock = take(&db).unwrap();
        assert!(lock.is_some() && is_held(&db) == Some(true) && take(&db).unwrap().is_none());
        drop(lock);
        assert_eq!(is_held(&db), Some(false));
    }

    #[test]
    fn a_lock_that_anybody_could_hold_keeps_no_recorder_away() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("events.db");
        let name = path(&db);
        fs::write(&name, "").unwrap();
        fs::set_permissions(&name, fs::Permissions::from_mode(0o644)).unwrap();
        let held = File::open(&name).unwrap();
        held.try_lock().unwrap();
        assert!(take(&db).unwrap().is_some());
        assert_eq!(fs::metadata(&name).unwrap().mode() & 0o777, 0o600);
    }
}
