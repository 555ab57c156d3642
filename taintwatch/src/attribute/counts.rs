//! Occurrences that were counted and have no record of their own.
//!
//! In: how often, with a flag and its caller unless the map of counts was full. Out: one event that stands for all of them.

use taintwatch_common::{Count, CountKey, DIRECT_WRITE, MODULE_NAME_LEN, link, stage};

use super::{
    Attributor, count_id,
    evidence::RecordEvidence,
    frames::{self, Frame},
    jump::Gap,
    reconcile::unattributed,
    record_fields,
};
use crate::event::{Event, Kind, Mask, Source, Taint};

impl Attributor {
    /// The event of `more` occurrences, up to `count.last_ns`.
    pub fn counted(&mut self, key: &CountKey, count: &Count, more: u64, mask_now: Mask) -> Event {
        let direct = key.flag == DIRECT_WRITE;
        let kind = if direct { Kind::MaskWrite } else { Kind::Taint };
        let number = count_id::of_event(key, count);
        let mut event = self.blank(kind, count.last_ns, &number);
        // What each of many writes changed is not known, only the mask now.
        let mut taint = if direct {
            Taint {
                mask_after: Some(mask_now),
                ..Taint::default()
            }
        } else {
            self.table.taint(key.flag, self.mask)
        };
        if !direct && !mask_now.has(key.flag) {
            // The flag was set, and cleared since: what the mask was in between is not known.
            taint.first = None;
            (taint.mask_before, taint.mask_after) = (None, None);
        }
        taint.count = Some(more);
        self.mask = taint.mask_after.unwrap_or(self.mask);
        event.taint = Some(taint);
        event.context = record_fields::known_context(key.context, &[]);
        let (frame, gap) = self.caller_of(key, count);
        let mut loading = count.loading;
        if loading.stage == stage::UNLOADING {
            // Nothing confirms the name, which the process may have changed since.
            loading.name = [0; MODULE_NAME_LEN];
        }
        let evidence = RecordEvidence {
            bit: (!direct).then_some(key.flag),
            frames: std::slice::from_ref(&frame),
            gap: gap.as_ref(),
            loading: &loading,
            sources: vec![if direct {
                Source::MaskWatch
            } else {
                Source::TaintEntry
            }],
        };
        let mut event = self.attribute(event, &evidence);
        if let Some(cause) = &mut event.cause {
            cause.summary = format!("{more} more times: {}", cause.summary);
        }
        event
    }

    /// The event of occurrences that were not counted by key: only their number is known.
    #[must_use]
    pub fn unnamed(&self, more: u64, boottime_ns: u64) -> Event {
        let mut event = self.blank(Kind::Taint, boottime_ns, "unnamed");
        event.taint = Some(Taint {
            count: Some(more),
            ..Default::default()
        });
        event.cause = Some(unattributed(format!(
            "{more} more changes, of flags that are not known: the table of counts was full"
        )));
        event
    }

    /// The code that a key stands for. One whose caller does not prove it, and that no record named, is a gap.
    fn caller_of(&self, key: &CountKey, count: &Count) -> (Frame, Option<Gap>) {
        let known = self.callers.get(&(key.caller, key.jumped, key.epoch));
        if let Some(frame) = known {
            return (frame.clone(), None);
        }
        let is_proven = matches!(count.link, link::PROVEN | link::UNKNOWN);
        let gap = Gap {
            place: 0,
            fits: Vec::new(),
        };
        let frame = frames::of_address(key.caller, &count.symbol, &self.addresses);
        (frame, (!is_proven).then_some(gap))
    }
}
