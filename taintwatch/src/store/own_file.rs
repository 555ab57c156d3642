//! Whether the file that a history is written to is still the history.
//!
//! In: its path, when it is opened. Out: later, that it is there and begins as a database does; or not. SQLite itself
//! goes on writing to a file that was removed, and notices late that one was overwritten.

use std::{
    fs::{self, File},
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use super::error::Failure;

/// What every database of SQLite begins with (<https://www.sqlite.org/fileformat.html>).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The open file. It must be closed after SQLite's own: closing it releases every lock that this process has on it.
pub(super) struct OwnFile {
    file: File,
    path: PathBuf,
}

impl OwnFile {
    pub(super) fn new(file: File, path: &Path) -> Self {
        let path = path.to_owned();
        Self { file, path }
    }

    /// Whether it may be written to.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let own = self.file.metadata().map_err(Failure::Open)?;
        let place = |is: &fs::Metadata| (is.dev(), is.ino());
        match fs::metadata(&self.path) {
            Ok(there) if place(&there) == place(&own) => {}
            Ok(_) => return Err(Failure::Removed),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Failure::Removed);
            }
            Err(error) => return Err(Failure::Open(error)),
        }
        let mut begin = [0; MAGIC.len()];
        match self.file.read_exact_at(&mut begin, 0) {
            // Before the first transaction it is empty.
            Err(_) if own.len() == 0 => Ok(()),
            Err(error) if own.len() >= 16 => Err(Failure::Open(error)),
            Ok(()) if begin == *MAGIC => Ok(()),
            _ => Err(Failure::Overwritten),
        }
    }
}
