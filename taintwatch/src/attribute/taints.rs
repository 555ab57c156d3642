//! A flag is set, or the mask is written: seen by the hook on `add_taint`, by the watchpoint, or by the hook on the sysctl.
//!
//! In: the record of one of them. Out: an event for each flag, or one for a write past `add_taint`.

use taintwatch_common as wire;

use super::{
    Attributor,
    evidence::{RecordEvidence, is_inlined_add_taint},
    frames::{self, Frame},
    record_fields,
    symbol::Symbol,
};
use crate::event::{Event, Kind, Mask, Source};

impl Attributor {
    pub(super) fn taint_entry(&mut self, entry: &wire::TaintEntry) -> Event {
        let frames = frames::of_entry(&entry.stack, &self.addresses);
        let before = self.before(entry.mask_before);
        let evidence = RecordEvidence {
            bit: Some(entry.flag),
            frames: &frames,
            loading: &entry.loading,
            sources: vec![Source::TaintEntry],
        };
        let key = entry.flag.to_string();
        let mut event = self.event_of(Kind::Taint, &entry.header, &entry.task, &key, &frames);
        event.taint = Some(self.table.taint(entry.flag, before));
        self.mask = Mask(self.mask.0 | before.0).with(entry.flag);
        self.attribute(event, &evidence)
    }

    /// A write that no entry of `add_taint` explains: by a copy of it, or by other code.
    pub(super) fn mask_write(&mut self, write: &wire::MaskWrite) -> Event {
        let frames = frames::of_write(&write.stack, &self.addresses);
        let (before, after) = (Mask(write.mask_before), Mask(write.mask_after));
        let (set, cleared) = (after.minus(before), before.minus(after));
        self.mask = after;
        let by_kernel = is_inlined_add_taint(&frames);
        let one_set = (cleared == Mask(0)).then(|| single(set)).flatten();
        // The bit of the instruction, known even where the mask shows no change.
        let written =
            Some(write.bit).filter(|bit| *bit < u64::BITS && after.has(*bit) && cleared == Mask(0));
        let bit = written.or(one_set).filter(|_| by_kernel);
        let evidence = RecordEvidence {
            bit,
            frames: &frames,
            loading: &write.loading,
            sources: vec![Source::MaskWatch],
        };
        let (kind, key) = match bit {
            Some(bit) => (Kind::Taint, bit.to_string()),
            // A flag was set again: only the hook on `add_taint` would know which one.
            None if by_kernel && set == Mask(0) && cleared == Mask(0) => {
                (Kind::Taint, "again".to_owned())
            }
            None => (Kind::MaskWrite, "mask".to_owned()),
        };
        let mut event = self.event_of(kind, &write.header, &write.task, &key, &frames);
        event.taint = Some(match (bit, kind) {
            (Some(bit), _) => self.table.taint(bit, before),
            (None, Kind::Taint) => record_fields::again(after),
            (None, _) => record_fields::change(before, after),
        });
        self.attribute(event, &evidence)
    }

    /// `proc_taint` with a copy of `add_taint` inside: the flags that were written, new or not.
    pub(super) fn sysctl_write(&mut self, write: &wire::SysctlWrite) -> Vec<Event> {
        let mut frames = vec![Frame {
            address: 0,
            symbol: Some(Symbol::new("proc_taint", 0, None)),
        }];
        frames.extend(frames::of_write(&write.stack, &self.addresses));
        let mut before = self.before(write.mask_before);
        // The number lies past the bytes that are kept of the text: what changed is known, what was set again is not.
        let changed = || Mask(write.mask_after).minus(before);
        let written = record_fields::written_mask(&write.text).unwrap_or_else(changed);
        // Where the mask cannot be read, only what was written is known of the bits.
        let after = if self.sees_mask {
            Mask(write.mask_after)
        } else {
            Mask(before.0 | written.0)
        };
        let mut events = Vec::new();
        for bit in written.bits().filter(|bit| after.has(*bit)) {
            let evidence = RecordEvidence {
                bit: Some(bit),
                frames: &frames,
                loading: &wire::Loading::NONE,
                sources: vec![Source::TaintEntry],
            };
            let key = bit.to_string();
            let mut event = self.event_of(Kind::Taint, &write.header, &write.task, &key, &frames);
            event.taint = Some(self.table.taint(bit, before));
            before = before.with(bit);
            events.push(self.attribute(event, &evidence));
        }
        self.mask = Mask(self.mask.0 | before.0);
        events
    }

    fn before(&self, seen: u64) -> Mask {
        if self.sees_mask {
            Mask(seen)
        } else {
            self.mask
        }
    }
}

fn single(mask: Mask) -> Option<u32> {
    let mut bits = mask.bits();
    bits.next().filter(|_| bits.next().is_none())
}
