//! What the events of writes to the mask and to its sysctl say.

use taintwatch_common::{
    Count, CountKey, DIRECT_WRITE, MaskWrite, SysctlWrite, context, link, stage, writer,
};

use super::{attributor, class, entry, event_of, frames, named_task, put, sentence, zero};
use crate::{
    event::{Class, Event, Kind, Mask, Source, Taint},
    record::Record,
    taint::flags::bit,
};

const W: u64 = 1 << bit::WARN;

fn write(by: u32, (before, after): (u64, u64), callers: &[&str]) -> Box<MaskWrite> {
    let mut write: MaskWrite = zero();
    write.header.context = context::TASK;
    write.task = named_task();
    write.writer = by;
    write.bit = u32::MAX;
    (write.mask_before, write.mask_after) = (before, after);
    write.stack = frames(callers);
    Box::new(write)
}

/// The event of a write, where events have reported this mask.
fn written(known: u64, write: Box<MaskWrite>) -> Event {
    let mut attributor = attributor();
    attributor.mask = Mask(known);
    event_of(&mut attributor, &Record::MaskWrite(write))
}

fn sources(event: &Event) -> &[Source] {
    &event.cause.as_ref().unwrap().sources
}

#[test]
fn a_write_by_add_taint_is_the_flag_that_it_set() {
    let stack = ["add_taint+0x1/0x9", "f+0x1/0x9 [m]"];
    let event = written(1, write(writer::ADD_TAINT, (1, 1 | W), &stack));
    assert_eq!((event.kind, event.bit()), (Kind::Taint, Some(bit::WARN)));
    assert_eq!(event.caller.as_deref(), Some("f+0x2 [m]"));
    assert_eq!(sources(&event), [Source::MaskWatch]);
    let taint = event.taint.unwrap();
    assert_eq!(taint.first, Some(true));
    assert_eq!(taint.mask_before, Some(Mask(1)));
    assert_eq!(taint.mask_after, Some(Mask(1 | W)));
    // The entry was seen, and left its record to the trap.
    let left = write(writer::LEFT_BY_ENTRY, (1, 1 | W), &stack);
    let sources_of_left = written(1, left);
    let both = [Source::MaskWatch, Source::TaintEntry];
    assert_eq!(sources(&sources_of_left), both);
    // A compiler's copy of `add_taint` in `__warn`.
    let inlined = write(writer::OTHER, (0, W), &["__warn+0x1/0x9", "f+0x1/0x9 [m]"]);
    let event = written(0, inlined);
    assert_eq!((event.kind, event.bit()), (Kind::Taint, Some(bit::WARN)));
    assert_eq!(class(&event), Class::ModuleCode);
}

#[test]
fn a_flag_that_was_set_again_is_known_by_the_instruction_alone() {
    let stack = ["add_taint+0x1/0x9", "f+0x1/0x9"];
    let again = written(W, write(writer::ADD_TAINT, (W, W), &stack));
    let said =
        "a flag was set again; which one is not known at f+0x2, while insmod (pid 5) was running";
    assert_eq!(sentence(&again), said);
    assert_eq!(again.kind, Kind::Taint);
    let nothing_new = Taint {
        first: Some(false),
        count: Some(1),
        mask_before: Some(Mask(W)),
        mask_after: Some(Mask(W)),
        ..Taint::default()
    };
    assert_eq!(again.taint, Some(nothing_new));
    let mut by_bit = write(writer::ADD_TAINT, (W, W), &stack);
    by_bit.bit = bit::WARN;
    let event = written(W, by_bit.clone());
    assert_eq!(event.bit(), Some(bit::WARN));
    assert_eq!(event.taint.unwrap().first, Some(false));
    // A register that does not hold a bit of the mask tells nothing.
    by_bit.bit = bit::CRAP;
    assert_eq!(
        written(W, by_bit.clone()).bit(),
        None,
        "it is clear afterwards"
    );
    by_bit.bit = u64::BITS;
    by_bit.mask_after = W | 1;
    assert_eq!(written(W, by_bit.clone()).bit(), Some(0), "what changed");
    // Two at once: which of them this write set is not known, and no letter is claimed.
    let two = written(0, write(writer::ADD_TAINT, (0, W | 1), &stack));
    assert_eq!((two.kind, two.bit()), (Kind::MaskWrite, None));
    let cleared = written(W | 1, write(writer::ADD_TAINT, (W | 1, W), &stack));
    assert_eq!(cleared.kind, Kind::MaskWrite);
    let both = written(1, write(writer::ADD_TAINT, (1, W), &stack));
    assert_eq!((both.kind, both.bit()), (Kind::MaskWrite, None));
}

#[test]
fn a_write_past_add_taint_says_its_bits_and_claims_no_flag() {
    let hide = ["hide+0x1/0x9 [rk]"];
    let said = |known, masks| {
        let event = written(known, write(writer::OTHER, masks, &hide));
        assert_eq!(
            (event.kind, class(&event)),
            (Kind::MaskWrite, Class::DirectWrite)
        );
        assert_eq!(event.taint.as_ref().unwrap().count, Some(1));
        assert_eq!(event.module_name(), Some("rk"));
        let start = "hide+0x2 [rk] wrote the mask past add_taint: ";
        sentence(&event).strip_prefix(start).unwrap().to_owned()
    };
    assert_eq!(said(0, (0, W)), "set W");
    assert_eq!(said(W | 1, (W | 1, 0)), "cleared PW");
    assert_eq!(said(1, (1, W)), "set W, cleared P");
    assert_eq!(said(W, (W, W)), "changed no bit");
}

fn sysctl(text: &str, (before, after): (u64, u64)) -> Record {
    let mut write: SysctlWrite = zero();
    write.header.context = context::TASK;
    write.task = named_task();
    (write.mask_before, write.mask_after) = (before, after);
    put(&mut write.text, text);
    write.stack = frames(&["proc_sys_call_handler+0x1/0x9"]);
    Record::SysctlWrite(Box::new(write))
}

#[test]
fn each_flag_that_is_written_to_the_sysctl_is_an_event() {
    let mut attributor = attributor();
    let (events, _) = attributor.events(&sysctl("576\n", (1 << bit::USER, 1 << bit::USER | W)));
    let bits: Vec<_> = events.iter().map(|event| event.bit().unwrap()).collect();
    assert_eq!(bits, [bit::USER, bit::WARN]);
    let first: Vec<_> = events
        .iter()
        .map(|event| event.taint.as_ref().unwrap().first)
        .collect();
    assert_eq!(first, [Some(false), Some(true)]);
    for event in &events {
        assert_eq!(class(event), Class::SysctlWrite);
        let said = "a write to /proc/sys/kernel/tainted by insmod (pid 5)";
        assert_eq!(sentence(event), said);
        assert_eq!(event.stack, ["proc_taint+0x0", "proc_sys_call_handler+0x2"]);
    }
    assert_eq!(attributor.mask, Mask(1 << bit::USER | W));
    assert_ne!(events[0].id, events[1].id);
}

#[test]
fn what_the_sysctl_refuses_is_no_event() {
    // Bit 63 is none of the kernel's flags: it is not in the mask afterwards.
    let mut attributor = attributor();
    let (events, _) = attributor.events(&sysctl("9223372036854775808", (0, 0)));
    assert_eq!(events, []);
    assert_eq!(attributor.mask, Mask(0));
    // The number lies past what is kept of the text: what changed is known.
    let (events, _) = attributor.events(&sysctl("     ", (0, W)));
    assert_eq!(events.len(), 1);
    assert_eq!(attributor.mask, Mask(W));
    // Another flag that came meanwhile is not this write's.
    let (events, _) = attributor.events(&sysctl("512", (W, W | 1)));
    assert_eq!(events.len(), 1);
    assert_eq!(attributor.mask, Mask(W));
}

#[test]
fn where_the_mask_cannot_be_read_the_events_so_far_give_it() {
    let mut attributor = attributor();
    attributor.sees_mask = false;
    attributor.mask = Mask(W | 1);
    let (events, _) = attributor.events(&sysctl("576", (0, 0)));
    let before = |event: &Event| event.taint.as_ref().unwrap().mask_before;
    let masks: Vec<_> = events.iter().map(before).collect();
    let user = 1 << bit::USER;
    assert_eq!(masks, [Some(Mask(W | 1)), Some(Mask(W | 1 | user))]);
    assert_eq!(attributor.mask, Mask(W | 1 | user));
    let record = Record::TaintEntry(Box::new(entry(bit::CRAP, &["f+0x1/0x9"])));
    let event = event_of(&mut attributor, &record);
    assert_eq!(before(&event), Some(Mask(W | 1 | user)));
    attributor.sees_mask = true;
    let mut seen = entry(bit::CRAP, &["f+0x1/0x9"]);
    seen.mask_before = 3;
    let event = event_of(&mut attributor, &Record::TaintEntry(Box::new(seen)));
    assert_eq!(before(&event), Some(Mask(3)));
}

fn counted(flag: u32, mask_now: u64, loading: u32) -> Event {
    let key = CountKey {
        flag,
        context: context::TASK,
        caller: 0xffff_ffff_8100_0011,
        ..zero()
    };
    let mut count = Count {
        suppressed: 3,
        last_ns: 9,
        created_ns: 8,
        link: link::PROVEN,
        ..zero()
    };
    let text = if flag == bit::FORCED_RMMOD {
        "__x64_sys_delete_module"
    } else {
        "f"
    };
    put(&mut count.symbol, &format!("{text}+0x10/0x20"));
    count.loading.stage = loading;
    put(&mut count.loading.name, "dummy");
    attributor().counted(&key, &count, 3, Mask(mask_now))
}

#[test]
fn a_count_of_writes_past_add_taint_knows_the_mask_alone() {
    let event = counted(DIRECT_WRITE, 5, stage::NONE);
    assert_eq!(event.kind, Kind::MaskWrite);
    assert_eq!(
        sentence(&event),
        "3 more times: f+0x11 wrote the mask past add_taint: which bits each write changed is not known"
    );
    assert_eq!(sources(&event), [Source::MaskWatch]);
    let only = Taint {
        count: Some(3),
        mask_after: Some(Mask(5)),
        ..Taint::default()
    };
    assert_eq!(event.taint, Some(only));
}

#[test]
fn a_count_of_a_flag_says_what_the_mask_says_of_it() {
    let set = counted(bit::WARN, W, stage::NONE);
    assert_eq!((set.kind, set.bit()), (Kind::Taint, Some(bit::WARN)));
    assert_eq!(
        sentence(&set),
        "3 more times: the kernel issued a warning at f+0x11"
    );
    assert_eq!(sources(&set), [Source::TaintEntry]);
    let taint = set.taint.unwrap();
    assert_eq!((taint.count, taint.mask_after), (Some(3), Some(Mask(W))));
    // It was cleared since: whether it was the first is not known.
    let taint = counted(bit::WARN, 1, stage::NONE).taint.unwrap();
    let masks = (taint.first, taint.mask_before, taint.mask_after);
    assert_eq!(masks, (None, None, None));
    assert_eq!(taint.count, Some(3));
}

/// Another thread may have changed the name that the process passed.
#[test]
fn a_count_of_forced_unloads_names_no_module() {
    let event = counted(bit::FORCED_RMMOD, 8, stage::UNLOADING);
    assert_eq!(class(&event), Class::ModuleUnload);
    assert_eq!(event.module_name(), None);
}

#[test]
fn occurrences_that_the_ring_had_no_room_for_make_another_event() {
    let key: CountKey = zero();
    let with = |unsent| Count { unsent, ..zero() };
    let mut attributor = attributor();
    let first = attributor.counted(&key, &with(1), 1, Mask(1));
    let second = attributor.counted(&key, &with(2), 1, Mask(1));
    assert_ne!(first.id, second.id);
}

#[test]
fn a_flag_that_came_and_one_that_went_unseen_are_two_events() {
    let mut attributor = attributor();
    attributor.mask = Mask(0b011);
    let events = attributor.reconciled(Mask(0b101), 1);
    let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [Kind::Taint, Kind::MaskWrite]);
    let went = events[1].taint.as_ref().unwrap();
    assert_eq!(went.bits_cleared.as_deref(), Some(&[1][..]));
    assert_eq!(went.bits_set.as_deref(), Some(&[][..]));
    let masks = (went.mask_before, went.mask_after);
    assert_eq!(masks, (Some(Mask(0b011)), Some(Mask(0b001))));
}
