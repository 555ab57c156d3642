//! What programs had recorded that this version does not take over.
//!
//! In: the folder of their pins. Out: the records and counts that no daemon had taken, when the programs are detached. They
//! are read when the new ones are attached: by then no call is still on its way through the old ones.

use std::{os::fd::AsFd as _, path::Path};

use taintwatch_common::{Count, CountKey, counter, kind};

use super::{bpf, counts::Counts, error::Error, maps::Maps, mask_watch::online_cpus, pins};
use crate::ring::Ring;

/// Programs that are detached, with their maps.
pub(super) struct Detached {
    attached_ns: u64,
    ring: Ring,
    counts: Counts,
}

/// What they had recorded.
pub struct Leftover {
    /// Since when they were attached, `CLOCK_BOOTTIME` in nanoseconds.
    pub attached_ns: u64,
    /// What the ring buffer had, oldest first; some of it is in the history already.
    pub records: Vec<Vec<u8>>,
    pub counts: Vec<(CountKey, Count)>,
    pub unkeyed: u64,
    /// Dropped records, by kind.
    pub dropped: [u64; kind::END as usize],
}

impl Detached {
    /// Detaches what is pinned in a folder of this version of the records.
    pub(super) fn detach(folder: &Path) -> Result<Self, Error> {
        let about = pins::about(folder).map_err(|error| Error::Adopt(error.to_string()))?;
        let mut maps = Maps::Pinned(folder.to_owned());
        let ring = maps.ring()?;
        let counts = Counts::take(&mut maps)?;
        let watchpoints = maps.data("WATCHPOINTS")?;
        for cpu in online_cpus().map_err(Error::Adopt)? {
            bpf::remove_event(watchpoints.fd().as_fd(), cpu)?;
        }
        pins::remove(folder).map_err(|error| Error::Adopt(error.to_string()))?;
        Ok(Self {
            attached_ns: about.attached_ns,
            ring,
            counts,
        })
    }

    /// What it had recorded.
    pub(super) fn read(mut self) -> Result<Leftover, Error> {
        Ok(Leftover {
            attached_ns: self.attached_ns,
            records: std::iter::from_fn(|| self.ring.try_next()).collect(),
            counts: self.counts.all()?,
            unkeyed: self.counts.counter(counter::UNKEYED)?,
            dropped: self.counts.lost()?,
        })
    }
}

/// Removes a folder whose records cannot be read: that of another version.
pub(super) fn remove_other(folder: &Path) {
    log::warn!(
        "{}: these pins are removed; what their programs recorded since their daemon ended is not read",
        folder.display()
    );
    if let Err(error) = pins::remove(folder) {
        log::warn!("what an earlier daemon pinned stays attached: {error}");
    }
}
