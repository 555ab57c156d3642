//! Records in the order of the ring buffer, some of them read early.
//!
//! In: the ring. Out: the bytes of one record after another.

use std::{collections::VecDeque, io, time::Duration};

use crate::{
    record::{Record, decode, text},
    ring::Ring,
};

/// What records come out of.
pub(super) trait Source {
    /// The next record's bytes, if there is one now.
    fn try_next(&mut self) -> Option<Vec<u8>>;
}

impl Source for Ring {
    fn try_next(&mut self) -> Option<Vec<u8>> {
        Self::try_next(self)
    }
}

/// The ring, and records that were taken from it early.
pub(super) struct Stream<S = Ring> {
    ring: S,
    early: VecDeque<Vec<u8>>,
}

impl Stream {
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
}

impl<S: Source> Stream<S> {
    pub(super) const fn new(ring: S) -> Self {
        Self {
            ring,
            early: VecDeque::new(),
        }
    }

    /// The next record, without waiting.
    pub(super) fn try_next(&mut self) -> Option<Vec<u8>> {
        self.early.pop_front().or_else(|| self.ring.try_next())
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

#[cfg(test)]
pub(super) mod tests {
    use taintwatch_common::{ModuleFree, VERSION, kind};

    use super::*;

    impl Source for VecDeque<Vec<u8>> {
        fn try_next(&mut self) -> Option<Vec<u8>> {
            self.pop_front()
        }
    }

    /// The record of a module's end.
    pub(in crate::watcher::hooked) fn free_of(name: &str) -> Vec<u8> {
        let len = size_of::<ModuleFree>();
        let mut bytes = vec![0; len];
        bytes[..2].copy_from_slice(&kind::MODULE_FREE.to_ne_bytes());
        bytes[2..4].copy_from_slice(&VERSION.to_ne_bytes());
        bytes[4..8].copy_from_slice(&u32::try_from(len).unwrap().to_ne_bytes());
        let at = std::mem::offset_of!(ModuleFree, name);
        bytes[at..at + name.len()].copy_from_slice(name.as_bytes());
        bytes
    }

    #[test]
    fn what_is_looked_at_early_still_comes_in_order() {
        let records = ["a", "b", "c"].map(free_of);
        let mut stream = Stream::new(VecDeque::from(records.clone()));
        assert_eq!(stream.try_next().as_ref(), Some(&records[0]));
        assert!(stream.frees_soon("c") && stream.frees_soon("b"));
        assert!(!stream.frees_soon("a"), "that is past");
        assert_eq!(stream.try_next().as_ref(), Some(&records[1]));
        assert_eq!(stream.try_next().as_ref(), Some(&records[2]));
        assert_eq!(stream.try_next(), None);
    }
}
