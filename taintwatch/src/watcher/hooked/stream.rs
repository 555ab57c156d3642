//! Records in the order of the ring buffer, some of them read early.
//!
//! In: the ring. Out: the bytes of one record after another.

use std::{collections::VecDeque, io, time::Duration};

use crate::{
    record::{Record, decode, text},
    ring::Ring,
};

/// The ring, and records that were taken from it early.
pub(super) struct Stream {
    ring: Ring,
    early: VecDeque<Vec<u8>>,
}

impl Stream {
    pub(super) const fn new(ring: Ring) -> Self {
        Self {
            ring,
            early: VecDeque::new(),
        }
    }

    /// The next record, without waiting.
    pub(super) fn try_next(&mut self) -> Option<Vec<u8>> {
        self.early.pop_front().or_else(|| self.ring.try_next())
    }

    /// The next record; `None` when none came within `pace`.
    pub(super) async fn next(&mut self, pace: Duration) -> io::Result<Option<Vec<u8>>> {
        // What was taken early comes before anything that the ring has.
        if let Some(bytes) = self.early.pop_front() {
            return Ok(Some(bytes));
        }
        match tokio::time::timeout(pace, self.ring.next()).await {
            Ok(bytes) => bytes.map(Some),
            Err(_elapsed) => Ok(None),
        }
    }

    /// Whether a record that is still to come says that the module was freed.
    pub(super) fn frees_soon(&mut self, module: &str) -> bool {
        while let Some(bytes) = self.ring.try_next() {
            self.early.push_back(bytes);
        }
        self.early.iter().any(|bytes| {
            matches!(decode(bytes), Ok(Record::ModuleFree(free)) if text(&free.name) == module)
        })
    }
}
