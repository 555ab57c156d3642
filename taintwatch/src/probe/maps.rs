//! The maps that userspace shares with the eBPF programs.
//!
//! In: an object whose programs are loaded, or the folder that an earlier daemon pinned its maps in. Out: maps by name.

use std::path::{Path, PathBuf};

use aya::{
    Ebpf,
    maps::{Array, Map, MapData, MapError},
};

use super::error::Error;
use crate::{event::Mask, ring::Ring};

/// All that userspace uses: each is pinned.
pub(super) const USED: [&str; 10] = [
    "EVENTS",
    "COUNTS",
    "COUNTERS",
    "LOST",
    "EPOCH",
    "PENDING",
    "TRAPS",
    "EMITTED",
    "WATCHPOINTS",
    KPROBES,
];

/// The map that holds events of kprobes, and its room.
pub(super) const KPROBES: &str = "KPROBES";
pub(super) const KPROBES_LEN: u32 = 32;

/// Where maps come from.
pub(super) enum Maps<'a> {
    /// An object; the programs that use a map keep it alive when it is taken.
    Loaded(&'a mut Ebpf),
    /// Pins, in this folder.
    Pinned(PathBuf),
}

impl Maps<'_> {
    /// A map by its name, once.
    pub(super) fn map(&mut self, name: &'static str) -> Result<Map, Error> {
        let map = match self {
            Self::Loaded(ebpf) => ebpf.take_map(name).ok_or_else(|| missing(name)),
            // The definition is the kernel's: the loader would take the object's, whatever the pin is.
            Self::Pinned(folder) => {
                MapData::from_pin(pin(folder, name)).and_then(Map::from_map_data)
            }
        };
        map.map_err(failed(name))
    }

    /// A map of this type.
    pub(super) fn take<M>(&mut self, name: &'static str) -> Result<M, Error>
    where
        M: TryFrom<Map, Error = MapError>,
    {
        M::try_from(self.map(name)?).map_err(failed(name))
    }

    /// The reader of the ring buffer.
    pub(super) fn ring(&mut self) -> Result<Ring, Error> {
        const NAME: &str = "EVENTS";
        let map = self.data(NAME)?;
        let info = map.info().map_err(failed(NAME))?;
        Ok(Ring::new(map.fd(), info.max_entries())?)
    }

    /// A map that no type of aya's stands for.
    pub(super) fn data(&mut self, name: &'static str) -> Result<MapData, Error> {
        match self.map(name)? {
            Map::PerfEventArray(data) | Map::RingBuf(data) => Ok(data),
            _ => Err(failed(name)(missing(name))),
        }
    }
}

/// Where a map is pinned. Such a name has no dot: bpffs refuses it (`bpf_lookup`, `kernel/bpf/inode.c`).
pub(super) fn pin(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("map_{name}"))
}

/// Sets the mask from which the mask watch goes on. Borrowed and not taken: a map that is taken and dropped is gone before its
/// programs are loaded.
pub(super) fn set_last_mask(ebpf: &mut Ebpf, mask: Mask) -> Result<(), Error> {
    const NAME: &str = "LAST_MASK";
    let map = ebpf
        .map_mut(NAME)
        .ok_or_else(|| missing(NAME))
        .map_err(failed(NAME))?;
    let mut array = Array::try_from(map).map_err(failed(NAME))?;
    array.set(0, mask.0, 0).map_err(failed(NAME))
}

pub(super) fn failed(name: &'static str) -> impl FnOnce(MapError) -> Error {
    move |error| Error::Map {
        name,
        error: Box::new(error),
    }
}

fn missing(name: &str) -> MapError {
    MapError::InvalidName {
        name: name.to_owned(),
    }
}
