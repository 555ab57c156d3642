//! From one daemon to the next: the programs stay attached, and what they record is recorded once.
//!
//! In: what the history has of this boot, and whether it has what was handed out. Out: counts that go on, and records that
//! stay in the ring until the history has their events. A daemon that takes over reads the last records again; an event
//! that is in the history already has the same id, and is not recorded twice.

use super::{Error, Hooked};
use crate::{
    event::Event,
    kernel::identity::boottime_ns,
    probe::leftover::Leftover,
    watcher::{resume::Resume, tally::Tally},
};

/// Bytes of the ring that records without a place in the history may take: a quarter.
const HELD: u64 = 256 << 10;

impl Hooked {
    /// Goes on where an earlier daemon ended, if its programs were taken over; `recorded`: the events of this boot.
    pub(in crate::watcher) fn resume(&mut self, recorded: &[Event]) -> Result<(), Error> {
        if let Some(leftover) = self.layers.monitor.leftover.take() {
            self.take_leftover(leftover, recorded);
        }
        let monitor = &mut self.layers.monitor;
        let Some(attached_ns) = monitor.adopted_since_ns else {
            return Ok(());
        };
        let resume = Resume::of(recorded, attached_ns);
        self.attributor.mask = resume.mask.unwrap_or(monitor.attached_mask);
        self.tally = Tally::resume(&resume);
        self.lost.resume(&monitor.counts, &resume)?;
        let unrecorded = monitor.take_unrecorded();
        if unrecorded > 0 {
            let event = self.lost.unrecorded(&self.attributor, unrecorded);
            self.next.push_back(event);
        }
        Ok(())
    }

    /// Records what detached programs had recorded, as far as the history does not have it.
    fn take_leftover(&mut self, leftover: Leftover, recorded: &[Event]) {
        let resume = Resume::of(recorded, leftover.attached_ns);
        let mask = self.attributor.mask;
        self.attributor.mask = resume.mask.unwrap_or(mask);
        // Modules may have come and gone since, which no record tells.
        let modules = self.attributor.addresses.set_modules_aside();
        for bytes in leftover.records {
            self.take(&bytes);
        }
        let events = Tally::resume(&resume).rest(
            leftover.counts,
            leftover.unkeyed,
            &mut self.attributor,
            (boottime_ns(), mask),
        );
        self.next.extend(events);
        let dropped = self.lost.rest(&leftover.dropped, &resume, &self.attributor);
        self.next.extend(dropped);
        self.attributor.addresses.bring_modules_back(modules);
        self.attributor.mask = mask;
    }

    /// Whether the history has all events that were handed out. If it has not, their records stay in the ring, where a
    /// daemon that takes over finds them; as long as there is room.
    pub(in crate::watcher) fn set_recorded(&mut self, is_recorded: bool) {
        self.is_recorded = is_recorded;
        if is_recorded && self.unrecorded > 0 {
            self.unrecorded = 0;
            self.layers.monitor.set_unrecorded(0);
        }
    }

    /// Gives records back to the kernel whose events are all handed out.
    pub(super) fn give_back(&mut self) {
        if !self.next.is_empty() {
            return;
        }
        if self.is_recorded {
            self.stream.settle();
        } else if self.stream.unsettled_bytes() > HELD {
            let records = self.stream.settle();
            self.unrecorded += u64::try_from(records).unwrap_or(0);
            self.layers.monitor.set_unrecorded(self.unrecorded);
        }
    }

    pub(in crate::watcher) const fn is_adopted(&self) -> bool {
        self.layers.monitor.adopted_since_ns.is_some()
    }

    /// Whether the programs stay attached when this process ends.
    pub(in crate::watcher) const fn outlives_process(&self) -> bool {
        self.layers.monitor.outlives_process()
    }
}
