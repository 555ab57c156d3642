//! What userspace tells the attached programs, and a later daemon.
//!
//! In: maps. Out: nothing but what the kernel refuses.

use std::path::Path;

use aya::maps::{Array, HashMap, Map, MapData};

use super::{
    error::Error,
    maps::{self, Maps},
};

/// Records that were taken from the ring for good while the history could not be written.
const UNRECORDED: &str = "UNRECORDED";

/// Maps that userspace writes.
pub(super) struct Shared {
    traps: Array<MapData, u64>,
    emitted: HashMap<MapData, [u64; 3], u64>,
    /// Where the maps are pinned: for the daemon after this one.
    unrecorded: Option<Array<MapData, u64>>,
}

impl Shared {
    pub(super) fn take(maps: &mut Maps<'_>) -> Result<Self, Error> {
        Ok(Self {
            traps: maps.take("TRAPS")?,
            emitted: maps.take("EMITTED")?,
            unrecorded: None,
        })
    }

    /// Opens, or makes, what is for the next daemon.
    pub(super) fn pinned(&mut self, folder: &Path) -> Result<(), Error> {
        let failed = maps::failed(UNRECORDED);
        let path = maps::pin(folder, UNRECORDED);
        if !path.exists() {
            let made = Array::<MapData, u64>::create(1, 0).map_err(maps::failed(UNRECORDED))?;
            made.pin(&path).map_err(|error| Error::Pin(error.into()))?;
        }
        let map = MapData::from_pin(path).and_then(Map::from_map_data);
        self.unrecorded = Some(map.and_then(Array::try_from).map_err(failed)?);
        Ok(())
    }

    /// Tells the hook on `add_taint` whether a trap follows each of its calls.
    pub(super) fn set_traps(&mut self, follow: bool) -> Result<(), Error> {
        let value = u64::from(follow);
        self.traps.set(0, value, 0).map_err(maps::failed("TRAPS"))
    }

    /// The programs send the record of each process again.
    pub(super) fn forget_processes(&mut self) -> Result<(), Error> {
        let failed = || maps::failed("EMITTED");
        let programs: Result<Vec<_>, _> = self.emitted.keys().collect();
        for program in programs.map_err(failed())? {
            // The map drops old ones by itself.
            _ = self.emitted.remove(&program);
        }
        Ok(())
    }

    /// How many records were taken that no history has.
    pub(super) fn unrecorded(&self) -> u64 {
        let map = self.unrecorded.as_ref();
        map.and_then(|map| map.get(&0, 0).ok()).unwrap_or(0)
    }

    pub(super) fn set_unrecorded(&mut self, records: u64) {
        if let Some(map) = &mut self.unrecorded
            && let Err(error) = map.set(0, records, 0)
        {
            log::warn!("the map {UNRECORDED}: {error}");
        }
    }
}
