//! The mask held against what the events told of it.
//!
//! In: the mask, read again. Out: events of the flags that differ, with no one to blame.

use super::{Attributor, cause, record_fields};
use crate::event::{Cause, Class, Confidence, Event, Kind, Mask, Source};

impl Attributor {
    /// Flags that the mask has and no event tells of, and flags that events tell of and the mask lost.
    pub fn reconciled(&mut self, now: Mask, boottime_ns: u64) -> Vec<Event> {
        let known = std::mem::replace(&mut self.mask, now);
        let mut events = Vec::new();
        for bit in now.minus(known).bits() {
            let mut event = self.blank(Kind::Taint, boottime_ns, &format!("{bit}.reconcile"));
            event.taint = Some(self.table.taint(bit, known));
            let what = cause::happened(self.table, Some(bit));
            event.cause = Some(unattributed(format!("{what}; nothing saw who did it")));
            events.push(event);
        }
        let lost = known.minus(now);
        if lost != Mask(0) {
            let mut event = self.blank(Kind::MaskWrite, boottime_ns, "reconcile");
            event.taint = Some(record_fields::change(known, Mask(known.0 & now.0)));
            let letters = self.table.letters(lost);
            event.cause = Some(unattributed(format!(
                "{letters} was set and is clear now; nothing saw who cleared it"
            )));
            events.push(event);
        }
        events
    }
}

/// That nothing tells who did it.
pub(super) fn unattributed(summary: String) -> Cause {
    Cause {
        class: Class::Unknown,
        summary,
        confidence: Confidence::Unattributed,
        sources: vec![Source::Reconcile],
    }
}
