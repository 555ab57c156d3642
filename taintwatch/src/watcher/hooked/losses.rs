//! Records that found no room on their way.
//!
//! In: the kernel half's counters. Out: an event for each kind of record that was lost, with how many.

use taintwatch_common::kind;

use super::Hooked;
use crate::{
    event::{Event, Kind, Lost},
    kernel::identity::boottime_ns,
    watcher::Error,
};

/// What was lost, as last seen.
#[derive(Default)]
pub(super) struct Losses {
    pub(super) lost: [u64; kind::END as usize],
    pub(super) at_ns: u64,
}

impl Hooked {
    pub(super) fn count_losses(&mut self) -> Result<(), Error> {
        let lost = self.watch.counts.lost()?;
        let before = std::mem::replace(&mut self.losses.lost, lost);
        for (kind, (lost, before)) in (0..).zip(lost.into_iter().zip(before)) {
            let more = lost.saturating_sub(before);
            if more > 0 {
                let event = self.lost(more, what(kind), "the ring buffer was full".to_owned());
                self.next.push_back(event);
            }
        }
        self.losses.at_ns = boottime_ns();
        Ok(())
    }

    pub(super) fn lost(&self, count: u64, what: &str, reason: String) -> Event {
        let mut event = self.attributor.blank(Kind::Lost, boottime_ns(), what);
        event.lost = Some(Lost {
            count,
            reason,
            what: what.to_owned(),
            since_ns: Some(self.losses.at_ns),
        });
        event
    }
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
        _ => "sysctl_write",
    }
}
