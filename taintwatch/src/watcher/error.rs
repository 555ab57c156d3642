//! Why monitoring did not start, or could not go on.

use std::io;

use crate::{event::Hook, kernel::mask, probe};

/// What failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Probe(#[from] probe::Error),
    #[error("read the identity of this machine: {0}")]
    Identity(io::Error),
    #[error("wait for the ring buffer: {0}")]
    Ring(io::Error),
    #[error("read the kernel log: {0}")]
    Log(io::Error),
    #[error(transparent)]
    Mask(#[from] mask::Error),
}

impl Error {
    /// The hooks that were tried, where none could be attached.
    #[must_use]
    pub fn refused(&self) -> &[Hook] {
        match self {
            Self::Probe(probe::Error::NoHook(hooks)) => hooks,
            _ => &[],
        }
    }
}
