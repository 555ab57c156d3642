//! A function that jumped to `add_taint` is named by the record of its own event, and its repeats with it.

use taintwatch_common::{Callees, Count, CountKey, ModuleFree, context, link};

use super::{attributor, entry, event_of, put, sentence, zero};
use crate::{
    attribute::{Attributor, CALLEES, CALLERS, EPOCHS, frames::Frame},
    event::{Event, Mask},
    record::Record,
    taint::flags::bit,
};

/// Where `add_taint` begins, and the code that called through a pointer, as in the stack of `entry`.
const ADD_TAINT: u64 = 0xffff_ffff_8100_000c;
const CALLER: u64 = 0xffff_ffff_8100_1011;
const WORK: u64 = 0xffff_ffff_c000_0040;

/// A function that jumps to `add_taint` at once.
fn callees(at_ns: u64, function: &str) -> Record {
    let mut callees: Callees = zero();
    callees.header.boottime_ns = at_ns;
    callees.found = 1;
    callees.addresses[0] = WORK;
    put(&mut callees.text[0], &format!("{function}+0x0/0x20 [m]"));
    let distance = ADD_TAINT.wrapping_sub(WORK + 5).cast_signed();
    callees.code[0][0] = 0xe9;
    callees.code[0][1..5].copy_from_slice(&i32::try_from(distance).unwrap().to_le_bytes());
    Record::Callees(Box::new(callees))
}

fn taints(attributor: &mut Attributor, callees_ns: u64) -> Event {
    let mut taint = entry(
        bit::WARN,
        &["process_one_work+0x1/0x9", "worker_thread+0x1/0x9"],
    );
    taint.caller.address = CALLER;
    taint.caller.jumped = 7;
    taint.caller.link = link::INDIRECT;
    taint.caller.callees_ns = callees_ns;
    event_of(attributor, &Record::TaintEntry(Box::new(taint)))
}

#[test]
fn the_function_that_jumped_is_that_of_the_same_event() {
    let mut attributor = attributor();
    for (at_ns, function) in [(50, "work"), (51, "other")] {
        assert_eq!(attributor.events(&callees(at_ns, function)).0, []);
    }
    let event = taints(&mut attributor, 50);
    assert_eq!(event.caller.as_deref(), Some("work+0x5 [m]"));
    assert_eq!(event.module_name(), Some("m"));
    let key = CountKey {
        flag: bit::WARN,
        context: context::TASK,
        caller: CALLER,
        jumped: 7,
        ..zero()
    };
    let count = Count {
        link: link::INDIRECT,
        ..zero()
    };
    let again = attributor.counted(&key, &count, 1, Mask(1 << bit::WARN));
    assert_eq!(again.caller.as_deref(), Some("work+0x5 [m]"));
    // Its record was lost.
    let event = taints(&mut attributor, 52);
    assert_eq!(event.caller, None);
    let said =
        "the kernel issued a warning by code called from process_one_work+0x2, which left no frame";
    assert_eq!(sentence(&event), said);
}

#[test]
fn so_many_records_may_come_between() {
    let mut attributor = attributor();
    attributor.events(&callees(50, "work"));
    for at_ns in 100..99 + u64::try_from(CALLEES).unwrap() {
        attributor.events(&callees(at_ns, "other"));
    }
    assert!(taints(&mut attributor, 50).caller.is_some());
    attributor.events(&callees(1000, "other"));
    assert_eq!(taints(&mut attributor, 50).caller, None);
}

/// Counts of an epoch come some seconds after it ended.
#[test]
fn callers_of_epochs_long_ago_are_forgotten_where_there_are_many() {
    let frees = |attributor: &mut Attributor, times: u64| {
        let mut free: ModuleFree = zero();
        free.in_load = 1;
        for _ in 0..times {
            assert_eq!(attributor.events(&Record::ModuleFree(Box::new(free))).0, []);
        }
    };
    let with = |callers: usize| {
        let mut attributor = attributor();
        for address in 0..callers {
            let frame = Frame {
                address: address as u64,
                symbol: None,
            };
            attributor.callers.insert((address as u64, 0, 0), frame);
        }
        attributor
    };
    let mut many = with(CALLERS + 1);
    frees(&mut many, EPOCHS);
    assert_eq!(many.callers.len(), CALLERS + 1);
    frees(&mut many, 1);
    assert_eq!(many.callers.len(), 0);
    let mut few = with(CALLERS);
    frees(&mut few, EPOCHS + 1);
    assert_eq!(few.callers.len(), CALLERS);
}
