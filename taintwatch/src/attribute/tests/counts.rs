//! Which code a count is of: an address can be another module's after a free.

use taintwatch_common::{Count, CountKey, ModuleFree, TaintEntry, context, link};

use super::{super::Attributor, attributor, blank, put, task, zero};
use crate::{
    event::{Event, Mask},
    record::Record,
};

/// The return address that both modules have, one after the other.
const ADDRESS: u64 = 0xffff_ffff_c000_0011;
const WARN: u32 = 9;

/// `add_taint` was called by code of a module.
fn called(by: &str) -> Record {
    let Record::TaintEntry(mut entry) = blank::<TaintEntry>() else {
        unreachable!()
    };
    entry.header.context = context::TASK;
    entry.task = task(5);
    entry.flag = WARN;
    entry.stack.depth = 2;
    entry.stack.frames[..2].copy_from_slice(&[1, ADDRESS]);
    put(&mut entry.stack.text[0], "add_taint+0x4/0xb0");
    put(&mut entry.stack.text[1], &format!("{by}+0x10/0x20 [{by}]"));
    entry.caller.address = ADDRESS;
    entry.caller.link = link::PROVEN;
    Record::TaintEntry(entry)
}

/// A module was freed.
fn freed(name: &str) -> Record {
    let Record::ModuleFree(mut free) = blank::<ModuleFree>() else {
        unreachable!()
    };
    put(&mut free.name, name);
    Record::ModuleFree(free)
}

/// Two more calls from the address, counted after so many frees, by code that the kernel named then.
fn counted(attributor: &mut Attributor, frees: u64, by: &str) -> Event {
    let key = CountKey {
        flag: WARN,
        context: context::TASK,
        caller: ADDRESS,
        epoch: frees,
        ..zero()
    };
    let mut count = Count {
        last_ns: 9,
        created_ns: 8,
        link: link::PROVEN,
        ..zero()
    };
    put(&mut count.symbol, &format!("{by}+0x10/0x20 [{by}]"));
    attributor.counted(&key, &count, 2, Mask(1 << WARN))
}

#[test]
fn a_count_names_the_code_that_was_there_when_it_was_counted() {
    let mut attributor = attributor();
    attributor.events(&called("old"));
    let event = counted(&mut attributor, 0, "old");
    assert_eq!(event.module_name(), Some("old"));
    // The map is read before the records: one that says that `old` was freed is still to come.
    let event = counted(&mut attributor, 1, "new");
    assert_eq!(event.module_name(), Some("new"));
    assert!(event.caller.unwrap().starts_with("new+"));
}

#[test]
fn a_count_of_before_a_free_names_no_code_of_after_it() {
    let mut attributor = attributor();
    attributor.events(&freed("old"));
    attributor.events(&called("new"));
    let event = counted(&mut attributor, 0, "old");
    assert_eq!(event.module_name(), Some("old"));
}

#[test]
fn a_count_whose_caller_does_not_prove_it_names_nobody_until_a_record_does() {
    let mut attributor = attributor();
    let key = CountKey {
        flag: WARN,
        context: context::TASK,
        caller: ADDRESS,
        jumped: 7,
        ..zero()
    };
    let mut count = Count {
        last_ns: 9,
        created_ns: 8,
        suppressed: 1,
        link: link::INDIRECT,
        ..zero()
    };
    put(&mut count.symbol, "process_one_work+0x1b2/0x390");
    let event = attributor.counted(&key, &count, 1, Mask(1 << WARN));
    assert_eq!(event.caller, None);
    assert_eq!(event.module_name(), None);
    let summary = event.cause.unwrap().summary;
    assert!(
        summary.ends_with("by code called from process_one_work+0x1b3, which left no frame"),
        "{summary}"
    );
    // The same key later, with nothing new but its count: another event.
    count.suppressed = 2;
    let again = attributor.counted(&key, &count, 1, Mask(1 << WARN));
    assert_ne!(event.id, again.id);
    assert_eq!(event.boottime_ns, again.boottime_ns);
}
