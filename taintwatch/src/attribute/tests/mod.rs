//! What the attributor makes of records, held against what really happened.

mod any;
mod counts;
mod requests;

use taintwatch_common::{self as wire, Plain, VERSION, Wire};

use super::Attributor;
use crate::{
    event::{Mask, Time},
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
