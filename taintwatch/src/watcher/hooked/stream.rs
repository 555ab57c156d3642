//! Records in the order of the ring buffer, some of them read early.
//!
//! In: the ring. Out: the bytes of one record after another.

use std::{collections::VecDeque, io, time::Duration};

use taintwatch_common::ModuleComing;

use crate::{
    record::{Record, decode, text},
    ring::Ring,
};

/// Records taken early at the most: more than the ring has at once, and a flood has no end.
const EARLY: usize = 8192;

/// What records come out of.
pub(super) trait Source {
    /// The next record's bytes, if there is one now.
    fn try_next(&mut self) -> Option<Vec<u8>>;

    /// The next so many records that came out of it are needed no more.
    fn settle(&mut self, records: usize);
}

impl Source for Ring {
    fn try_next(&mut self) -> Option<Vec<u8>> {
        Self::try_next(self)
    }

    fn settle(&mut self, records: usize) {
        Self::settle(self, records);
    }
}

/// What the records that came so far say of a load.
#[derive(Debug)]
pub(super) enum Coming {
    Module(Box<ModuleComing>),
    /// It has ended, or has failed.
    No,
    NotYet,
}

/// The ring, and records that were taken from it early.
pub(super) struct Stream<S = Ring> {
    ring: S,
    early: VecDeque<Vec<u8>>,
    /// Records that were handed out since the last [`Self::settle`].
    unsettled: usize,
}

impl Stream {
    /// The next record; `None` when none came within `pace`.
    pub(super) async fn next(&mut self, pace: Duration) -> io::Result<Option<Vec<u8>>> {
        // What was taken early comes before anything that the ring has.
        if let Some(bytes) = self.early.pop_front() {
            self.unsettled += 1;
            return Ok(Some(bytes));
        }
        match tokio::time::timeout(pace, self.ring.next()).await {
            Ok(bytes) => {
                let bytes = bytes?;
                self.unsettled += 1;
                Ok(Some(bytes))
            }
            Err(_elapsed) => Ok(None),
        }
    }

    /// Bytes of the ring that are kept for records that are not settled.
    pub(super) fn unsettled_bytes(&self) -> u64 {
        self.ring.unsettled()
    }
}

impl<S: Source> Stream<S> {
    pub(super) const fn new(ring: S) -> Self {
        Self {
            ring,
            early: VecDeque::new(),
            unsettled: 0,
        }
    }

    /// The events of all that was handed out are recorded. Gives how many records that were.
    pub(super) fn settle(&mut self) -> usize {
        let records = std::mem::take(&mut self.unsettled);
        self.ring.settle(records);
        records
    }

    /// Modules that are loaded by records which are still to come, and how many of these say that code was freed.
    pub(super) fn look_further(&mut self) -> (Vec<String>, u64) {
        self.look_ahead();
        let (mut coming, mut freed) = (Vec::new(), 0);
        for bytes in &self.early {
            match decode(bytes) {
                Ok(Record::ModuleComing(module)) => coming.push(text(&module.name)),
                Ok(Record::ModuleFree(_) | Record::LoadEnd(_)) => freed += 1,
                _ => {}
            }
        }
        (coming, freed)
    }

    /// The next record, without waiting.
    pub(super) fn try_next(&mut self) -> Option<Vec<u8>> {
        let next = self.early.pop_front().or_else(|| self.ring.try_next());
        self.unsettled += usize::from(next.is_some());
        next
    }

    /// Whether a record that is still to come says that the module was freed.
    pub(super) fn frees_soon(&mut self, module: &str) -> bool {
        self.look_ahead();
        self.early.iter().any(|bytes| {
            matches!(decode(bytes), Ok(Record::ModuleFree(free)) if text(&free.name) == module)
        })
    }

    /// The module that a thread is loading, from a record that is still to come: it tells when the load begins to run the
    /// module's code.
    pub(super) fn comes_soon(&mut self, tid: u32) -> Coming {
        self.look_ahead();
        let of_thread = |bytes: &Vec<u8>| match decode(bytes) {
            Ok(Record::ModuleComing(coming)) if coming.task.tid == tid => {
                Some(Coming::Module(coming))
            }
            Ok(Record::LoadEnd(end)) if end.task.tid == tid => Some(Coming::No),
            _ => None,
        };
        let found = self.early.iter().find_map(of_thread);
        found.unwrap_or(Coming::NotYet)
    }

    fn look_ahead(&mut self) {
        while self.early.len() < EARLY
            && let Some(bytes) = self.ring.try_next()
        {
            self.early.push_back(bytes);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::mem::offset_of;

    use taintwatch_common::{LoadEnd, ModuleFree, Task, VERSION, kind};

    use super::*;

    impl Source for VecDeque<Vec<u8>> {
        fn try_next(&mut self) -> Option<Vec<u8>> {
            self.pop_front()
        }

        fn settle(&mut self, _records: usize) {}
    }

    fn empty<T>(kind: u16) -> Vec<u8> {
        let len = size_of::<T>();
        let mut bytes = vec![0; len];
        bytes[..2].copy_from_slice(&kind.to_ne_bytes());
        bytes[2..4].copy_from_slice(&VERSION.to_ne_bytes());
        bytes[4..8].copy_from_slice(&u32::try_from(len).unwrap().to_ne_bytes());
        bytes
    }

    /// A record of a thread.
    fn by<T>(kind: u16, task: usize, tid: u32) -> Vec<u8> {
        let mut bytes = empty::<T>(kind);
        let at = task + offset_of!(Task, tid);
        bytes[at..at + 4].copy_from_slice(&tid.to_ne_bytes());
        bytes
    }

    fn coming(tid: u32) -> Vec<u8> {
        by::<ModuleComing>(kind::MODULE_COMING, offset_of!(ModuleComing, task), tid)
    }

    fn ended(tid: u32) -> Vec<u8> {
        by::<LoadEnd>(kind::LOAD_END, offset_of!(LoadEnd, task), tid)
    }

    /// The record of a module's end.
    pub(in crate::watcher::hooked) fn free_of(name: &str) -> Vec<u8> {
        let mut bytes = empty::<ModuleFree>(kind::MODULE_FREE);
        let at = offset_of!(ModuleFree, name);
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

    #[test]
    fn the_module_of_a_load_is_that_of_the_same_thread_and_load() {
        let of = |records: &[Vec<u8>]| {
            let records = VecDeque::from(records.to_vec());
            Stream::new(records).comes_soon(7)
        };
        assert!(matches!(of(&[coming(8)]), Coming::NotYet));
        let Coming::Module(found) = of(&[coming(8), ended(8), coming(7)]) else {
            panic!("it is the third record");
        };
        assert_eq!(found.task.tid, 7);
        assert!(matches!(of(&[ended(7), coming(7)]), Coming::No));
    }
}
