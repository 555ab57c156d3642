//! Records as the eBPF programs could write them: a header that the decoder takes, and whatever is given behind it.

use std::mem::{offset_of, size_of};

use taintwatch::{
    attribute::Attributor,
    event::{Context, Event, Mask, Time},
    kernel::identity::Identity,
};
use taintwatch_common::{self as wire, Header, VERSION, Wire};

/// The header of a record, with its time, CPU and context from `rest`, and `rest` behind it; zeros where it is short.
pub fn record<T: Wire>(rest: &[u8]) -> Vec<u8> {
    let len = size_of::<T>();
    let mut bytes = rest.to_vec();
    bytes.resize(len, 0);
    put(&mut bytes, offset_of!(Header, kind), &T::KIND.to_ne_bytes());
    put(
        &mut bytes,
        offset_of!(Header, version),
        &VERSION.to_ne_bytes(),
    );
    let said = u32::try_from(len).unwrap_or(0);
    put(&mut bytes, offset_of!(Header, len), &said.to_ne_bytes());
    bytes
}

/// Overwrites what stands there, as far as there is room.
pub fn put(bytes: &mut [u8], at: usize, new: &[u8]) {
    for (byte, new) in bytes.iter_mut().skip(at).zip(new) {
        *byte = *new;
    }
}

pub fn attributor() -> Attributor {
    let identity = Identity {
        host: None,
        boot_id: "b".to_owned(),
        release: "6.1.0".to_owned(),
    };
    Attributor::new(identity, Mask(0), |_| Time::unknown())
}

/// What holds for every event, whatever the records say.
pub fn check(event: &Event) {
    let in_interrupt = event
        .context
        .is_some_and(|context| context != Context::Task);
    assert!(
        !in_interrupt || event.task.is_none(),
        "a task is blamed for an interrupt: {event:?}"
    );
    assert!(event.stack.len() <= wire::STACK_FRAMES, "{event:?}");
    let json = serde_json::to_string(event).expect("an event is JSON");
    let again: Event = serde_json::from_str(&json).expect("and can be read again");
    assert_eq!(&again, event);
}
