//! Why the history cannot be written or read: what failed, on which file, and what to do.
//!
//! In: failures of SQLite, of the events' text, of the file system. Out: a sentence; no cause is printed twice.

use std::io;

use rusqlite::ErrorCode;

/// Why the history cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "there is no history at {0}: `taintwatch daemon` records one (as root), and `--db` names another"
    )]
    Missing(String),
    #[error("the history {path} cannot be read: {error}{}", advice_to_read(error))]
    Unreadable { path: String, error: io::Error },
    #[error("the history {0} is no file")]
    NoFile(String),
    #[error(
        "{path} is no history of taintwatch, or is damaged ({reason}): `--db` names another; if it is yours, move it \
         away (`sqlite3 FILE .recover` may save what it holds), and `taintwatch daemon` begins a new one"
    )]
    Broken { path: String, reason: String },
    #[error("the history {path}: {failure}")]
    Failed { path: String, failure: Failure },
    #[error("make the folder {path}: {error}")]
    Folder { path: String, error: io::Error },
    #[error("the damaged history {path} cannot be moved away: {error}")]
    Aside { path: String, error: io::Error },
    #[error("lock the history {path}: {error}")]
    Lock { path: String, error: io::Error },
    #[error("another taintwatch records to {0}: stop it first")]
    Taken(String),
}

/// What a reader can do.
fn advice_to_read(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => ": become root or a member of the group taintwatch",
        _ => "",
    }
}

/// What a writer can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It passes, or somebody makes room: the same file, later.
    Wait,
    /// The file or the way to it changed: open it again, later.
    Reopen,
    /// The file is no database any more: keep it under another name, and begin a new one.
    SetAside,
    /// A newer program wrote it: leave it as it is, and record beside it.
    Beside,
    /// It is this event that cannot be written.
    Skip,
}

impl Error {
    /// What a writer can do about it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Broken { .. } => Remedy::SetAside,
            Self::Failed { failure, .. } => failure.remedy(),
            _ => Remedy::Reopen,
        }
    }

    /// What became of the file, where it holds the history no more.
    #[must_use]
    pub fn lost(&self) -> Option<&'static str> {
        match self {
            Self::Broken { .. } => Some("the one before is damaged"),
            Self::Failed {
                failure: Failure::Removed,
                ..
            } => Some("the one before was removed or replaced"),
            _ => None,
        }
    }

    /// For who writes it: what is wrong, and what somebody has to do for it to be over.
    #[must_use]
    pub fn for_writer(&self) -> String {
        match self {
            Self::Broken { path, reason } => format!("{path} is damaged ({reason})"),
            Self::Failed { path, failure } => failure.for_writer(path),
            other => other.to_string(),
        }
    }
}

/// What failed, on whatever file.
#[derive(Debug)]
pub enum Failure {
    Sqlite(rusqlite::Error),
    Migrate(rusqlite_migration::Error),
    Event(serde_json::Error),
    /// The layout of its tables, and the newest one that this program knows.
    NewerLayout(i64, i64),
    Open(io::Error),
    Removed,
    Overwritten,
}

impl Failure {
    fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code(),
            _ => None,
        }
    }

    fn for_writer(&self, path: &str) -> String {
        let advice = match self.code() {
            Some(ErrorCode::DiskFull) => "make room on its file system",
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "another process holds it (`fuser` shows which)"
            }
            Some(ErrorCode::ReadOnly) => "make its file system and its folder writable",
            Some(ErrorCode::SystemIoFailure) => "look into the kernel log for errors of the disk",
            Some(ErrorCode::CannotOpen) => "look whether its folder is there and may be written to",
            _ => return format!("{path}: {self}"),
        };
        match self {
            Self::Sqlite(error) => format!("{path}: {}: {advice}", said(error)),
            _ => format!("{path}: {self}"),
        }
    }

    fn remedy(&self) -> Remedy {
        match self {
            Self::NewerLayout(..) => Remedy::Beside,
            Self::Event(_) => Remedy::Skip,
            _ => match self.code() {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull) => {
                    Remedy::Wait
                }
                Some(
                    ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig,
                ) => Remedy::Skip,
                _ => Remedy::Reopen,
            },
        }
    }

    /// Of the history at `path`.
    pub(super) fn at(self, path: &str) -> Error {
        let path = path.to_owned();
        match self {
            Self::Sqlite(error) if is_broken(&error) => Error::Broken {
                path,
                reason: said(&error),
            },
            Self::Overwritten => Error::Broken {
                path,
                reason: "its first bytes were overwritten".to_owned(),
            },
            failure => Error::Failed { path, failure },
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(error) if is_refused(error) => write!(
                f,
                "{}: become root, or copy it, with the files beside it, to where you may write",
                said(error)
            ),
            Self::Sqlite(error) => f.write_str(&said(error)),
            Self::Migrate(error) => {
                write!(f, "it cannot be brought to this program's layout: {error}")
            }
            Self::Event(error) => write!(f, "an event is no JSON: {error}"),
            Self::Open(error) => write!(f, "it cannot be opened to write: {error}"),
            Self::NewerLayout(layout, known) => write!(
                f,
                "a newer taintwatch wrote it (layout {layout}; this program knows up to {known}): use that one"
            ),
            Self::Removed => f.write_str("it was removed or replaced"),
            Self::Overwritten => f.write_str("it was overwritten"),
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<rusqlite_migration::Error> for Failure {
    fn from(error: rusqlite_migration::Error) -> Self {
        match error {
            rusqlite_migration::Error::RusqliteError { err, .. } => Self::Sqlite(err),
            error => Self::Migrate(error),
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Event(error)
    }
}

/// Another file, or one whose pages are damaged.
fn is_broken(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
    ) || said(error) == "no such table: event"
}

/// SQLite may not write where it has to, be it beside the history to read it.
pub(super) fn is_refused(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
}

/// In SQLite's words, without the query.
fn said(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        error => error.to_string(),
    }
}
