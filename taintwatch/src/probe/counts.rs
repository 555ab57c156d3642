//! The counts that the eBPF programs keep: occurrences that have no event of their own, and records that were dropped.
//!
//! In: the maps. Out: plain numbers, since the programs were loaded. Reading changes nothing; keys that can grow no
//! more are removed on request.

use aya::maps::{Array, HashMap, MapData, PerCpuArray};
use taintwatch_common::{Count, CountKey, Left, Writer, kind};

use super::{
    error::Error,
    maps::{self, Maps},
};

#[repr(transparent)]
#[derive(Clone, Copy)]
struct Key(CountKey);
#[repr(transparent)]
#[derive(Clone, Copy)]
struct Value(Count);
#[repr(transparent)]
#[derive(Clone, Copy)]
struct By(Writer);
#[repr(transparent)]
#[derive(Clone, Copy)]
struct Entry(Left);

// SAFETY: `repr(transparent)` over a `Plain` type: integers without padding.
unsafe impl aya::Pod for Key {}
// SAFETY: as above.
unsafe impl aya::Pod for Value {}

// SAFETY: as above.
unsafe impl aya::Pod for By {}
// SAFETY: as above.
unsafe impl aya::Pod for Entry {}

/// The maps of the counts.
pub struct Counts {
    by_key: HashMap<MapData, Key, Value>,
    counters: PerCpuArray<MapData, u64>,
    lost: Array<MapData, u64>,
    epoch: Array<MapData, u64>,
    pending: HashMap<MapData, By, Entry>,
}

impl Counts {
    /// Takes its maps.
    pub(super) fn take(maps: &mut Maps<'_>) -> Result<Self, Error> {
        Ok(Self {
            by_key: maps.take("COUNTS")?,
            counters: maps.take("COUNTERS")?,
            lost: maps.take("LOST")?,
            epoch: maps.take("EPOCH")?,
            pending: maps.take("PENDING")?,
        })
    }

    /// Every key with its count.
    pub fn all(&self) -> Result<Vec<(CountKey, Count)>, Error> {
        let read: Result<Vec<_>, _> = self.by_key.iter().collect();
        let read = read.map_err(maps::failed("COUNTS"))?;
        Ok(read
            .into_iter()
            .map(|(key, count)| (key.0, count.0))
            .collect())
    }

    /// One key's count as it is now.
    #[must_use]
    pub fn get(&self, key: CountKey) -> Option<Count> {
        self.by_key.get(&Key(key), 0).ok().map(|count| count.0)
    }

    /// Takes the entries of `add_taint` before this time (`CLOCK_BOOTTIME`) whose record was left to a trap that never came.
    pub fn take_untrapped(&mut self, before_ns: u64) -> Result<Vec<(Writer, Left)>, Error> {
        let read: Result<Vec<_>, _> = self.pending.iter().collect();
        let mut read = read.map_err(maps::failed("PENDING"))?;
        read.retain(|(_, entry)| entry.0.caller != 0 && entry.0.at_ns < before_ns);
        // One that is gone by now was trapped after all, and is recorded there.
        read.retain(|(by, _)| self.pending.remove(by).is_ok());
        Ok(read
            .into_iter()
            .map(|(by, entry)| (by.0, entry.0))
            .collect())
    }

    /// Removes a key that can grow no more.
    pub fn forget(&mut self, key: CountKey) {
        // It may be gone already.
        _ = self.by_key.remove(&Key(key));
    }

    /// How many modules have been freed.
    pub fn epoch(&self) -> Result<u64, Error> {
        self.epoch.get(&0, 0).map_err(maps::failed("EPOCH"))
    }

    /// One of [`taintwatch_common::counter`], of all CPUs.
    pub fn counter(&self, index: u32) -> Result<u64, Error> {
        Ok(self.per_cpu(index)?.iter().sum())
    }

    /// One of [`taintwatch_common::counter`], a number a CPU.
    pub fn per_cpu(&self, index: u32) -> Result<Vec<u64>, Error> {
        let values = self.counters.get(&index, 0);
        Ok(values.map_err(maps::failed("COUNTERS"))?.to_vec())
    }

    /// Records that were dropped since the ring was full, by kind.
    pub fn lost(&self) -> Result<[u64; kind::END as usize], Error> {
        let mut lost = [0; kind::END as usize];
        for (index, lost) in (0..).zip(&mut lost) {
            *lost = self.lost.get(&index, 0).map_err(maps::failed("LOST"))?;
        }
        Ok(lost)
    }
}
