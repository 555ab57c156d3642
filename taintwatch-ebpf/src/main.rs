//! The eBPF programs: hooks write records into the ring buffer.
//!
//! | file | hook | layer |
//! |--|--|--|
//! | `mask_watch` | write watchpoint on `tainted_mask` | 1 |
//! | `taint_entry` | entry of `add_taint` | 2 |
//! | `proc_taint`, `warn` | entry and exit of `proc_taint` and `__warn`, where a copy of `add_taint` may be inlined | 2 |
//! | `module_load` | entry and exit of `load_module`, the tracepoint `module_load` | 3 |
//! | `module_unload` | entry and exit of `delete_module`, the tracepoint `module_free` | 3 |
//! | `watch_alive` | a watchpoint of userspace's own: whether that of `mask_watch` still counts | 1 |
//! | `module_file` | reads of modules, the tracepoint `module_request` | 3 |
//!
//! The other files hold what the hooks share: the cause's frame (`caller`, `callees`), maps (`counts`, `inlined`, `loader`, `pending`), parts of records (`path`,
//! `process`, `stack`, `task`), and in `target` the addresses and offsets of the running kernel.
#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "atomic addition has no other name on this target"
)]

mod callees;
mod caller;
mod counters;
mod counts;
mod inlined;
mod instruction;
mod limit;
mod loader;
mod mask_watch;
mod module_file;
mod module_load;
mod module_unload;
mod path;
mod pending;
mod proc_taint;
mod process;
mod record;
mod registers;
mod ring;
mod stack;
mod taint_entry;
mod target;
mod task;
mod warn;
mod watch_alive;

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// No program may panic: the verifier refuses this loop, so code that can reach it never loads.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
