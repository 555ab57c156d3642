//! The mask compared with the events so far.
//!
//! In: the mask, read again. Out: events of the flags that differ, without a cause.

use super::{Attributor, record_fields, summary::happened};
use crate::event::{Cause, Class, Confidence, Event, Kind, Mask, Source};

impl Attributor {
    /// Flags in the mask that no event set, and flags that events set and the mask lost.
    pub fn reconciled(&mut self, now: Mask, boottime_ns: u64) -> Vec<Event> {
        let known = std::mem::replace(&mut self.mask, now);
        let mut events = Vec::new();
        for bit in now.minus(known).bits() {
            let mut event = self.blank(Kind::Taint, boottime_ns, &format!("{bit}.reconcile"));
            event.taint = Some(self.table.taint(bit, known));
            let what = happened(self.table, Some(bit));
            event.cause = Some(unattributed(format!("{what}; no hook saw who set it")));
            events.push(event);
        }
        let lost = known.minus(now);
        if lost != Mask(0) {
            let mut event = self.blank(Kind::MaskWrite, boottime_ns, "reconcile");
            event.taint = Some(record_fields::change(known, Mask(known.0 & now.0)));
            let letters = self.table.letters(lost);
            event.cause = Some(unattributed(format!(
                "{letters} was set and is clear now; no hook saw who cleared it"
            )));
            events.push(event);
        }
        events
    }
}

/// The cause of a change that no layer explains.
pub(super) fn unattributed(summary: String) -> Cause {
    Cause {
        class: Class::Unknown,
        summary,
        confidence: Confidence::Unattributed,
        sources: vec![Source::Reconcile],
    }
}
