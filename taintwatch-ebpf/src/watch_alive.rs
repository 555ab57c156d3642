//! The proof that the watchpoint on the mask still counts on a CPU.
//!
//! Userspace trips a watchpoint on a variable of its own, on each CPU; this program then asks the kernel for the event of
//! the mask's watchpoint on that CPU. The kernel refuses to read an event that does not run there
//! (`perf_event_read_local`, `kernel/events/core.c`), as after the CPU was offline. A program of its own: one on the
//! mask's events that referred to the map which holds them would keep both for ever.

use aya_ebpf::{
    bindings::BPF_F_CURRENT_CPU,
    btf_maps::PerfEventArray,
    helpers::generated::bpf_perf_event_read,
    macros::{btf_map, perf_event},
    programs::PerfEventContext,
};
use taintwatch_common::counter;

use crate::counters;

/// `BPF_F_PRESERVE_ELEMS`: an event stays in the map when the process that put it there is gone. Since 5.10.
const PRESERVE_ELEMS: usize = 1 << 11;

/// The event of the mask's watchpoint of each CPU.
#[btf_map]
static WATCHPOINTS: PerfEventArray<PRESERVE_ELEMS> = PerfEventArray::new();

/// The events of kprobes on kernels that have no link for them (before 5.15).
#[btf_map]
static KPROBES: PerfEventArray<PRESERVE_ELEMS> = PerfEventArray::new();

/// The helper gives the counter or a negative errno; the counter of a watchpoint stays far below.
const ERRORS: u64 = u64::MAX - 4095;

#[perf_event]
fn watch_alive(_ctx: PerfEventContext) -> u32 {
    let map = (&raw const WATCHPOINTS).cast_mut().cast();
    // SAFETY: the map is a perf event array.
    let counter = unsafe { bpf_perf_event_read(map, u64::from(BPF_F_CURRENT_CPU as u32)) };
    if counter < ERRORS {
        counters::count(counter::ALIVE);
    }
    0
}
