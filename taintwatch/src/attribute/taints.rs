//! A flag is set, or the mask is written: seen by the hook on `add_taint`, by the watchpoint, or by the hook on the sysctl.
//!
//! In: the record of one of them. Out: an event for each flag, or one for a write past `add_taint`.

use taintwatch_common as wire;

use super::{
    Attributor,
    evidence::{RecordEvidence, is_inlined_add_taint},
    frames::{Frame, Frames},
    jump::{self, Gap},
    record_fields,
    symbol::Symbol,
};
use crate::event::{Event, Kind, Mask, Source};

impl Attributor {
    pub(super) fn taint_entry(&mut self, entry: &wire::TaintEntry) -> Event {
        let mut frames = Frames::of_entry(&entry.stack, &self.addresses);
        let gap = self.complete(&mut frames, &entry.caller);
        let frames = frames.list();
        let loading = self.confirmed(&entry.loading, entry.task.tid);
        let before = self.before(entry.mask_before);
        let evidence = RecordEvidence {
            bit: Some(entry.flag),
            frames,
            gap: gap.as_ref(),
            loading: &loading,
            sources: vec![Source::TaintEntry],
        };
        let key = entry.flag.to_string();
        let mut event = self.event_of(Kind::Taint, &entry.header, &entry.task, &key, frames);
        event.taint = Some(self.table.taint(entry.flag, before));
        // Not what else the mask has: no event has reported that yet.
        self.mask = self.mask.with(entry.flag);
        self.attribute(event, &evidence)
    }

    /// A write that no entry of `add_taint` explains: by a copy of it, or by other code.
    pub(super) fn mask_write(&mut self, write: &wire::MaskWrite) -> Event {
        let is_add_taint = write.writer != wire::writer::OTHER;
        let mut frames = Frames::of_write(&write.stack, &self.addresses);
        let gap = self.complete(&mut frames, &write.caller);
        let frames = frames.list();
        // A bit that events have reported already is not this write's: its own trap was left out, or proved nothing.
        let known = self.mask;
        let after = Mask(write.mask_after);
        let (set, cleared) = changed(write, known);
        let before = Mask(after.minus(set).0 | cleared.0);
        self.mask = Mask(known.minus(cleared).0 | set.0);
        let by_kernel = is_add_taint || is_inlined_add_taint(frames);
        let one_set = (cleared == Mask(0)).then(|| single(set)).flatten();
        // The bit of the instruction, known even where the mask shows no change.
        let written =
            Some(write.bit).filter(|bit| *bit < u64::BITS && after.has(*bit) && cleared == Mask(0));
        let bit = written.or(one_set).filter(|_| by_kernel);
        let loading = self.confirmed(&write.loading, write.task.tid);
        let mut sources = vec![Source::MaskWatch];
        if write.writer == wire::writer::LEFT_BY_ENTRY {
            sources.push(Source::TaintEntry);
        }
        let evidence = RecordEvidence {
            bit,
            frames,
            gap: gap.as_ref(),
            loading: &loading,
            sources,
        };
        let (kind, key) = match bit {
            Some(bit) => (Kind::Taint, bit.to_string()),
            // A flag was set again: only the hook on `add_taint` would know which one.
            None if by_kernel && set == Mask(0) && cleared == Mask(0) => {
                (Kind::Taint, "again".to_owned())
            }
            None => (Kind::MaskWrite, "mask".to_owned()),
        };
        let mut event = self.event_of(kind, &write.header, &write.task, &key, frames);
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
        let called = Frames::of_write(&write.stack, &self.addresses);
        frames.extend(called.list().iter().cloned());
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
                gap: None,
                loading: &wire::Loading::NONE,
                sources: vec![Source::TaintEntry],
            };
            let key = bit.to_string();
            let mut event = self.event_of(Kind::Taint, &write.header, &write.task, &key, &frames);
            event.taint = Some(self.table.taint(bit, before));
            before = before.with(bit);
            events.push(self.attribute(event, &evidence));
        }
        self.mask = Mask(self.mask.0 | written.0 & after.0);
        events
    }

    /// Puts in a function that left no frame, or gives the gap. Remembers the code that this caller stands for in the counts.
    fn complete(&mut self, frames: &mut Frames, caller: &wire::Caller) -> Option<Gap> {
        let is_named = |callees: &&wire::Callees| {
            caller.callees_ns != 0 && callees.header.boottime_ns == caller.callees_ns
        };
        let mut callees = self.callees.iter().rev().map(Box::as_ref);
        let callees = callees.find(is_named);
        let here = |frame: &Frame| frame.address == caller.address;
        let place = frames.list().iter().position(here);
        let gap = jump::complete(frames, caller, callees, &self.addresses);
        let cause = place.and_then(|place| frames.list().get(place));
        if let (None, Some(cause)) = (&gap, cause) {
            let key = (caller.address, caller.jumped, self.epoch);
            self.callers.insert(key, cause.clone());
        }
        gap
    }

    /// The load or unload that the task is in; without a name where the kernel's own copy does not confirm it.
    fn confirmed(&mut self, loading: &wire::Loading, tid: u32) -> wire::Loading {
        let mut loading = *loading;
        let is_unload = loading.stage == wire::stage::UNLOADING;
        if is_unload && !self.references.confirms_unload(tid, &loading.name) {
            loading.name = [0; wire::MODULE_NAME_LEN];
        }
        loading
    }

    fn before(&self, seen: u64) -> Mask {
        if self.sees_mask {
            Mask(seen)
        } else {
            self.mask
        }
    }
}

/// What a write set and cleared. Where the instruction itself tells the bit, other changes are not its own: two CPUs that write
/// at once each see both bits, and the mask before may be older than a trap that was left out.
fn changed(write: &wire::MaskWrite, known: Mask) -> (Mask, Mask) {
    let (before, after) = (Mask(write.mask_before), Mask(write.mask_after));
    if write.bit < u64::BITS {
        let set = Mask(0).with(write.bit);
        return (Mask(set.0 & after.0).minus(known), Mask(0));
    }
    let set = after.minus(before).minus(known);
    (set, Mask(before.minus(after).0 & known.0))
}

fn single(mask: Mask) -> Option<u32> {
    let mut bits = mask.bits();
    bits.next().filter(|_| bits.next().is_none())
}

#[cfg(test)]
mod tests {
    use taintwatch_common::{COMM_LEN, VERSION, context, kind, writer};

    use super::{super::frames::sample::stack, *};
    use crate::{event::Time, kernel::identity::Identity};

    fn attributor(mask: u64) -> Attributor {
        let identity = Identity {
            host: None,
            boot_id: String::new(),
            release: String::new(),
        };
        Attributor::new(identity, Mask(mask), |_| Time::unknown())
    }

    fn write(mask_before: u64, mask_after: u64) -> wire::MaskWrite {
        wire::MaskWrite {
            header: wire::Header {
                kind: kind::MASK_WRITE,
                version: VERSION,
                len: 0,
                boottime_ns: 1,
                cpu: 0,
                context: context::TASK,
            },
            task: wire::Task {
                tgid: 1,
                tid: 1,
                ppid: 0,
                uid: 0,
                start_boottime_ns: 1,
                exec_id: 0,
                comm: [0; COMM_LEN],
            },
            loading: wire::Loading::NONE,
            bit: u32::MAX,
            writer: writer::OTHER,
            mask_before,
            mask_after,
            caller: wire::Caller::NONE,
            stack: stack(&[]),
        }
    }

    fn bits(attributor: &mut Attributor, before: u64, after: u64) -> (Vec<u32>, Vec<u32>) {
        let taint = attributor.mask_write(&write(before, after)).taint.unwrap();
        (taint.bits_set.unwrap(), taint.bits_cleared.unwrap())
    }

    #[test]
    fn a_write_is_not_blamed_for_what_another_did() {
        // The trap of bit 1 was left out or proved nothing, and what the mask was before is old.
        let mut known = attributor(0b01);
        known.reconciled(Mask(0b11), 1);
        assert_eq!(bits(&mut known, 0b01, 0b111), (vec![2], vec![]));
        // So it is with a bit that went.
        let mut known = attributor(0b11);
        known.reconciled(Mask(0b01), 1);
        assert_eq!(bits(&mut known, 0b11, 0b101), (vec![2], vec![]));
    }

    #[test]
    fn an_instruction_that_tells_its_bit_is_blamed_for_no_other() {
        let mut attributor = attributor(0);
        let mut one = write(0, 0b110);
        one.bit = 2;
        let taint = attributor.mask_write(&one).taint.unwrap();
        assert_eq!(taint.bits_set, Some(vec![2]));
        assert_eq!(
            (taint.mask_before, taint.mask_after),
            (Some(Mask(0b10)), Some(Mask(0b110)))
        );
        // The other one has a record of its own, or is found when the mask is read again.
        assert_eq!(attributor.mask, Mask(0b100));
        // A bit that went meanwhile was cleared by somebody else.
        let mut again = write(0b110, 0b101);
        again.bit = 0;
        let taint = attributor.mask_write(&again).taint.unwrap();
        assert_eq!(
            (taint.bits_set, taint.bits_cleared),
            (Some(vec![0]), Some(vec![]))
        );
    }

    #[test]
    fn what_no_event_reported_is_left_to_be_found() {
        let mut found = attributor(0);
        assert_eq!(bits(&mut found, 0b01, 0b11), (vec![1], vec![]));
        assert_eq!(found.mask, Mask(0b10));
        assert_eq!(found.reconciled(Mask(0b11), 1).len(), 1);
    }

    #[test]
    fn two_writes_in_the_wrong_order_are_each_their_own() {
        let mut both = attributor(0);
        assert_eq!(bits(&mut both, 0b01, 0b11), (vec![1], vec![]));
        assert_eq!(bits(&mut both, 0b00, 0b01), (vec![0], vec![]));
        assert_eq!(both.mask, Mask(0b11));
        assert_eq!(bits(&mut both, 0b11, 0), (vec![], vec![0, 1]));
    }
}
