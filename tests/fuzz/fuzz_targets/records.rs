//! Records of the ring buffer, from bytes to events: nothing panics, and what an event says holds together.
//!
//! In: any bytes, as they are; then as a stream of records, the kind of each from one byte, the rest from those that
//! follow. The decoder alone would end at the version of nearly all random bytes.
#![no_main]

mod wire;

use libfuzzer_sys::fuzz_target;
use taintwatch::record::{decode, text};
use taintwatch_common::{
    Callees, LoadEnd, MaskWrite, ModuleComing, ModuleFile, ModuleFree, ModuleRequest, Process,
    SysctlWrite, TaintEntry, UnloadStack, kind,
};

/// More records of one stream show nothing new.
const MOST: usize = 16;

fuzz_target!(|bytes: &[u8]| {
    _ = decode(bytes);
    _ = text(bytes);
    let mut attributor = wire::attributor();
    let mut left = bytes;
    for _ in 0..MOST {
        let Some((number, rest)) = left.split_first() else {
            break;
        };
        let record = next(u16::from(*number), rest);
        left = rest.get(record.len()..).unwrap_or_default();
        let decoded = decode(&record).expect("its header is right");
        let (events, _) = attributor.events(&decoded);
        events.iter().for_each(wire::check);
    }
});

/// A record of one of the kinds.
fn next(number: u16, rest: &[u8]) -> Vec<u8> {
    match 1 + number % (kind::END - 1) {
        kind::TAINT_ENTRY => wire::record::<TaintEntry>(rest),
        kind::MASK_WRITE => wire::record::<MaskWrite>(rest),
        kind::MODULE_COMING => wire::record::<ModuleComing>(rest),
        kind::MODULE_FREE => wire::record::<ModuleFree>(rest),
        kind::LOAD_END => wire::record::<LoadEnd>(rest),
        kind::SYSCTL_WRITE => wire::record::<SysctlWrite>(rest),
        kind::PROCESS => wire::record::<Process>(rest),
        kind::MODULE_FILE => wire::record::<ModuleFile>(rest),
        kind::MODULE_REQUEST => wire::record::<ModuleRequest>(rest),
        kind::CALLEES => wire::record::<Callees>(rest),
        kind::UNLOAD_STACK => wire::record::<UnloadStack>(rest),
        other => panic!("the kind {other} is not fuzzed"),
    }
}
