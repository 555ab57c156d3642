//! The text of `%pS`, as the kernel writes it into a record: names that a module's author chose.
//!
//! In: any text, a line a frame. It goes the way of a stack, in the record of a call and in that of a write. Nothing
//! panics, and no module is named that the text does not have in brackets.
#![no_main]

mod wire;

use std::mem::offset_of;

use libfuzzer_sys::fuzz_target;
use taintwatch::{attribute::symbol::Symbol, event::Event, record::decode};
use taintwatch_common::{
    MaskWrite, STACK_FRAMES, SYMBOL_LEN, Stack, SysctlWrite, TaintEntry, Wire,
};

/// Where the frames lie: in no module that any record has named.
const CODE: u64 = 0xffff_ffff_8100_0000;

fuzz_target!(|text: &[u8]| {
    for line in String::from_utf8_lossy(text).lines() {
        if let Some((symbol, _size)) = Symbol::parse(line) {
            assert!(
                line.starts_with(symbol.function()),
                "{line:?} is {symbol:?}"
            );
        }
    }
    run::<TaintEntry>(offset_of!(TaintEntry, stack), text);
    run::<MaskWrite>(offset_of!(MaskWrite, stack), text);
    run::<SysctlWrite>(offset_of!(SysctlWrite, stack), text);
});

fn run<T: Wire>(at: usize, text: &[u8]) {
    let mut bytes = wire::record::<T>(&[]);
    stack(&mut bytes, at, text);
    let record = decode(&bytes).expect("its header is right");
    let (events, _) = wire::attributor().events(&record);
    for event in &events {
        wire::check(event);
        check(event, text);
    }
}

/// Writes a stack of as many frames as there are lines, each text in a field of its own.
fn stack(bytes: &mut [u8], at: usize, text: &[u8]) {
    let lines: Vec<_> = text
        .split(|byte| *byte == b'\n')
        .take(STACK_FRAMES)
        .collect();
    let depth = u32::try_from(lines.len()).unwrap_or(0);
    wire::put(bytes, at + offset_of!(Stack, depth), &depth.to_ne_bytes());
    for ((number, line), address) in lines.iter().enumerate().zip((CODE..).step_by(16)) {
        let place = at + offset_of!(Stack, frames) + 8 * number;
        wire::put(bytes, place, &address.to_ne_bytes());
        let place = at + offset_of!(Stack, text) + SYMBOL_LEN * number;
        wire::put(bytes, place, line.get(..SYMBOL_LEN).unwrap_or(line));
    }
}

fn check(event: &Event, text: &[u8]) {
    let texts = event.caller.iter().chain(&event.stack);
    for shown in texts {
        assert!(!shown.contains('\n'), "a frame of two lines: {event:?}");
    }
    let Some(name) = event.module_name() else {
        return;
    };
    let readable = taintwatch::record::text(text);
    assert!(
        readable.contains(&format!("[{name}")),
        "{name} stands nowhere: {event:?}"
    );
}
