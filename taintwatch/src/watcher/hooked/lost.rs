//! Records that were dropped since the ring was full, and records that could not be read.
//!
//! In: the counters of the eBPF programs. Out: an event for each kind of record, with how many.

use taintwatch_common::kind;

use crate::{
    attribute::Attributor,
    event::{Event, Kind, Lost},
    kernel::identity::boottime_ns,
    probe::{self, counts::Counts},
    watcher::resume::Resume,
};

/// How many were dropped, as last read.
pub(super) struct LostRecords {
    dropped: [u64; kind::END as usize],
    at_ns: u64,
}

impl LostRecords {
    pub(super) fn new() -> Self {
        Self {
            dropped: [0; kind::END as usize],
            at_ns: boottime_ns(),
        }
    }

    /// Goes on where an earlier daemon ended: what the history has is not reported again.
    pub(super) fn resume(&mut self, counts: &Counts, resume: &Resume) -> Result<(), probe::Error> {
        self.dropped = recorded(&counts.lost()?, resume);
        Ok(())
    }

    /// Events for what detached programs had dropped.
    pub(super) fn rest(
        &self,
        dropped: &[u64; kind::END as usize],
        resume: &Resume,
        attributor: &Attributor,
    ) -> Vec<Event> {
        let recorded = recorded(dropped, resume).into_iter();
        let more = dropped.iter().zip(recorded).map(|(all, of)| all - of);
        let more = (0..).zip(more).filter(|(_, more)| *more > 0);
        let event = |(kind, more)| {
            let reason = Lost::RING_WAS_FULL.to_owned();
            self.event(attributor, more, what(kind), reason)
        };
        more.map(event).collect()
    }

    /// An event for records that a daemon took and could not write before it ended.
    pub(super) fn unrecorded(&self, attributor: &Attributor, count: u64) -> Event {
        let reason =
            "an earlier daemon took them while it could not write its history, and then was killed";
        self.event(attributor, count, "event", reason.to_owned())
    }

    /// Events for what was dropped since the last call.
    pub(super) fn events(
        &mut self,
        counts: &Counts,
        attributor: &mut Attributor,
    ) -> Result<Vec<Event>, probe::Error> {
        let dropped = counts.lost()?;
        let before = std::mem::replace(&mut self.dropped, dropped);
        let mut events = Vec::new();
        for (kind, (dropped, before)) in (0..).zip(dropped.into_iter().zip(before)) {
            let more = dropped.saturating_sub(before);
            if more > 0 && matches!(kind, kind::MODULE_COMING | kind::MODULE_FREE) {
                attributor.addresses.lost();
            }
            if more > 0 {
                let reason = Lost::RING_WAS_FULL.to_owned();
                events.push(self.event(attributor, more, what(kind), reason));
            }
        }
        self.at_ns = boottime_ns();
        Ok(events)
    }

    /// An event for a record that could not be read.
    pub(super) fn unreadable(&self, attributor: &Attributor, reason: String) -> Event {
        self.event(attributor, 1, "event", reason)
    }

    fn event(&self, attributor: &Attributor, count: u64, what: &str, reason: String) -> Event {
        let mut event = attributor.blank(Kind::Lost, boottime_ns(), what);
        event.lost = Some(Lost {
            count,
            reason,
            what: what.to_owned(),
            since_ns: Some(self.at_ns),
        });
        event
    }
}

/// How many of each kind are in the history.
fn recorded(dropped: &[u64; kind::END as usize], resume: &Resume) -> [u64; kind::END as usize] {
    let mut left = resume.dropped.clone();
    let mut recorded = [0; kind::END as usize];
    // What several kinds have in common is in one sum.
    for (kind, (dropped, recorded)) in (0..).zip(dropped.iter().zip(&mut recorded)) {
        if let Some(left) = left.get_mut(what(kind)) {
            *recorded = (*dropped).min(*left);
            *left -= *recorded;
        }
    }
    recorded
}

/// What is lost with a record: occurrences of a flag or a write are counted all the same.
fn what(record: u16) -> &'static str {
    match record {
        kind::TAINT_ENTRY | kind::MASK_WRITE => "detail",
        kind::MODULE_COMING => "module_identity",
        kind::MODULE_FREE => "module_unload",
        kind::LOAD_END => "module_load",
        kind::PROCESS => "process_detail",
        kind::MODULE_FILE => "module_path",
        kind::MODULE_REQUEST => "module_request",
        kind::SYSCTL_WRITE => "sysctl_write",
        kind::CALLEES => "caller_detail",
        kind::UNLOAD_STACK => "unload_detail",
        _ => "event",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_record_says_what_is_lost_with_it() {
        for kind in kind::TAINT_ENTRY..kind::END {
            assert_ne!(what(kind), "event", "kind {kind}");
        }
    }
}
