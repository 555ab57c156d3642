//! The kernel half's counts, read: what happened and was not told, and what was lost.
//!
//! In: the maps. Out: plain numbers, since the watch began. Reading changes nothing but this: keys that
//! can grow no more are removed once they have been told.

use aya::{
    Ebpf,
    maps::{Array, HashMap, MapData, PerCpuArray},
};
use taintwatch_common::{Count, CountKey, kind};

use super::{Error, watch::map};

#[repr(transparent)]
#[derive(Clone, Copy)]
struct Key(CountKey);
#[repr(transparent)]
#[derive(Clone, Copy)]
struct Value(Count);

// SAFETY: `repr(transparent)` over a `Plain` type: integers without padding.
unsafe impl aya::Pod for Key {}
// SAFETY: as above.
unsafe impl aya::Pod for Value {}

/// The maps of the counts.
pub struct Counts {
    by_key: HashMap<MapData, Key, Value>,
    counters: PerCpuArray<MapData, u64>,
    lost: Array<MapData, u64>,
    epoch: Array<MapData, u64>,
}

impl Counts {
    /// Takes the maps of an object whose programs are loaded.
    pub fn take(ebpf: &mut Ebpf) -> Result<Self, Error> {
        Ok(Self {
            by_key: map(ebpf, "COUNTS")?,
            counters: map(ebpf, "COUNTERS")?,
            lost: map(ebpf, "LOST")?,
            epoch: map(ebpf, "EPOCH")?,
        })
    }

    /// Every key with its count.
    pub fn all(&self) -> Result<Vec<(CountKey, Count)>, Error> {
        let read: Result<Vec<_>, _> = self.by_key.iter().collect();
        let read = read.map_err(|error| map_error("COUNTS", error))?;
        Ok(read
            .into_iter()
            .map(|(key, count)| (key.0, count.0))
            .collect())
    }

    /// Forgets a key that can grow no more.
    pub fn forget(&mut self, key: CountKey) {
        // A key that is gone already is as good.
        _ = self.by_key.remove(&Key(key));
    }

    /// How many modules have been freed.
    pub fn epoch(&self) -> Result<u64, Error> {
        self.epoch
            .get(&0, 0)
            .map_err(|error| map_error("EPOCH", error))
    }

    /// One of [`taintwatch_common::counter`], of all CPUs.
    pub fn counter(&self, index: u32) -> Result<u64, Error> {
        Ok(self.per_cpu(index)?.iter().sum())
    }

    /// One of [`taintwatch_common::counter`], a number a CPU.
    pub fn per_cpu(&self, index: u32) -> Result<Vec<u64>, Error> {
        let values = self.counters.get(&index, 0);
        Ok(values
            .map_err(|error| map_error("COUNTERS", error))?
            .to_vec())
    }

    /// Records that found no room in the ring, by kind.
    pub fn lost(&self) -> Result<[u64; kind::END as usize], Error> {
        let mut lost = [0; kind::END as usize];
        for (index, lost) in (0..).zip(&mut lost) {
            *lost = self
                .lost
                .get(&index, 0)
                .map_err(|error| map_error("LOST", error))?;
        }
        Ok(lost)
    }
}

fn map_error(name: &'static str, error: aya::maps::MapError) -> Error {
    Error::Map {
        name,
        error: Box::new(error),
    }
}
