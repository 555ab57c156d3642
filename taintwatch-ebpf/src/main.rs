//! The kernel half: hooks write records into the ring buffer.
//!
//! | file | hook | layer |
//! |--|--|--|
//! | `mask_watch` | write watchpoint on `tainted_mask` | 1 |
//! | `taint_entry` | entry of `add_taint` | 2 |
//! | `inlined` | entry and exit of `proc_taint` and `__warn`, where layer 1 cannot be had | 2 |
//! | `loader` | `load_module`, and the tracepoints `module_load` and `module_free` | 3 |
//! | `module_file` | reads of modules, and the tracepoint `module_request` | 3 |
//!
//! What the programs must know about the running kernel comes in as the globals of `target`.
#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "atomic addition has no other name on this target"
)]

mod counters;
mod counts;
mod inlined;
mod instruction;
mod loader;
mod mask_watch;
mod module_file;
mod path;
mod pending;
mod process;
mod record;
mod ring;
mod stack;
mod taint_entry;
mod target;
mod task;

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// No program may panic: the verifier refuses this loop, so code that can reach it never loads.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
