//! What the attributor makes of records, held against what really happened.

mod any;
mod counts;
mod loads;
mod processes;
mod requests;
mod sentences;
mod tail_calls;
mod writes;

use taintwatch_common::{self as wire, Plain, VERSION, Wire};

use super::{Attributor, frames::sample::stack};
use crate::{
    event::{Class, Event, Mask, Time},
    kernel::identity::Identity,
    record::{Record, decode, value},
};

fn attributor() -> Attributor {
    let identity = Identity {
        host: None,
        boot_id: String::new(),
        release: String::new(),
    };
    Attributor::new(identity, Mask(0), |_| Time::unknown())
}

/// A record as the decoder gives it: what a test does not set is zero, and a new member breaks no test.
fn blank<T: Wire>() -> Record {
    let len = size_of::<T>();
    let mut bytes = vec![0; len];
    bytes[..2].copy_from_slice(&T::KIND.to_ne_bytes());
    bytes[2..4].copy_from_slice(&VERSION.to_ne_bytes());
    bytes[4..8].copy_from_slice(&u32::try_from(len).unwrap().to_ne_bytes());
    decode(&bytes).unwrap()
}

/// A value of zeros.
pub(super) fn zero<T: Plain>() -> T {
    value(&vec![0; size_of::<T>()]).unwrap()
}

/// Writes a text into a field, NUL behind it.
fn put(field: &mut [u8], text: &str) {
    field.fill(0);
    field[..text.len()].copy_from_slice(text.as_bytes());
}

/// The main thread of a process.
fn task(tid: u32) -> wire::Task {
    let Record::ModuleRequest(mut request) = blank::<wire::ModuleRequest>() else {
        unreachable!()
    };
    request.task.tgid = tid;
    request.task.tid = tid;
    request.task
}

/// An entry of `add_taint` by thread 5, on its way from these functions.
fn entry(flag: u32, callers: &[&str]) -> wire::TaintEntry {
    let mut entry: wire::TaintEntry = zero();
    entry.header.boottime_ns = 70;
    entry.header.cpu = 1;
    entry.header.context = wire::context::TASK;
    entry.task = named_task();
    entry.flag = flag;
    entry.stack = frames(&[&["add_taint+0x4/0xb0"], callers].concat());
    entry
}

/// Thread 5, which runs `insmod`.
fn named_task() -> wire::Task {
    let mut task = task(5);
    put(&mut task.comm, "insmod");
    task
}

fn frames(texts: &[&str]) -> wire::Stack {
    let addresses = (0..).map(|place| 0xffff_ffff_8100_0011 + place * 0x1000);
    let frames: Vec<_> = addresses.zip(texts.iter().copied()).collect();
    stack(&frames)
}

/// The one event of a record.
fn event_of(attributor: &mut Attributor, record: &Record) -> Event {
    let (mut events, _) = attributor.events(record);
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

fn sentence(event: &Event) -> &str {
    &event.cause.as_ref().unwrap().summary
}

fn class(event: &Event) -> Class {
    event.cause.as_ref().unwrap().class
}
