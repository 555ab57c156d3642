//! Why programs could not be pinned.

use std::{io, path::PathBuf};

/// Why nothing can be pinned, or taken over.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0} is not in a BPF file system: mount one with `mount -t bpf bpf /sys/fs/bpf`")]
    NoBpffs(PathBuf),
    #[error("{path}: {error}")]
    Folder { path: PathBuf, error: io::Error },
    #[error("another daemon uses {0}")]
    InUse(PathBuf),
    #[error("{what}: {error}")]
    Kernel {
        what: String,
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("what is pinned cannot be read: {0}")]
    Unreadable(String),
}

impl Error {
    /// The kernel refused to pin this.
    pub(super) fn kernel(
        what: &str,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Kernel {
            what: format!("pin {what}"),
            error: error.into(),
        }
    }
}
