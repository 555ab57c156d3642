//! Why the history cannot be written or read: what failed, on which file, and what to do.
//!
//! In: failures of SQLite, of the events' text, of the file system. Out: a sentence; no cause is printed twice.

use std::io;

use rusqlite::ErrorCode;

use crate::event::SCHEMA;

/// Why the history cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "there is no history at {0}: `taintwatch daemon` records one (as root), and `--db` names another"
    )]
    Missing(String),
    #[error("the history {path} cannot be read: {error}")]
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
}

/// What failed, on whatever file.
#[derive(Debug)]
pub enum Failure {
    Sqlite(rusqlite::Error),
    Migrate(rusqlite_migration::Error),
    Event(serde_json::Error),
    Newer(u32),
}

impl Failure {
    /// Of the history at `path`.
    pub(super) fn at(self, path: &str) -> Error {
        let path = path.to_owned();
        match self {
            Self::Sqlite(error) if is_broken(&error) => Error::Broken {
                path,
                reason: said(&error),
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
            Self::Event(error) => write!(f, "an event in it cannot be read: {error}"),
            Self::Newer(schema) => write!(
                f,
                "it holds events of schema {schema}; this program reads up to {SCHEMA}: use a newer taintwatch"
            ),
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
