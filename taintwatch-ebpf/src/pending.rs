//! Entries of `add_taint` whose write has not been seen yet: what ties layer 2 to layer 1.
//!
//! `add_taint` writes the mask once, in the context that entered it. So the watch finds the entry
//! that explains its write here, and a write that finds none was made by something else, or by an
//! entry that the hook missed.

use aya_ebpf::{btf_maps::HashMap, macros::btf_map};
use taintwatch_common::context;

use crate::task;

/// Who is between the entry and the write.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Writer {
    task: u64,
    context: u32,
    /// Interrupts do not move, and each CPU has an idle task with id 0; a task may change its CPU.
    cpu: u32,
}

/// More than can be between entry and write at once on any machine: four contexts a CPU.
#[btf_map]
static PENDING: HashMap<Writer, u64, 4096> = HashMap::new();

#[inline(always)]
pub fn writer(context: u32) -> Writer {
    let task = task::id();
    let moves = context == context::TASK && task != 0;
    Writer {
        task,
        context,
        cpu: if moves { u32::MAX } else { task::cpu() },
    }
}

/// `add_taint` was entered with `flag`.
#[inline(always)]
pub fn entered(context: u32, flag: u64) {
    // A full map only makes the watch report a write that the entry has already told of.
    _ = PENDING.insert(writer(context), flag, 0);
}

/// Whether an entry explains a write that was made in `context`; it explains one only.
#[inline(always)]
pub fn explains(context: u32) -> bool {
    PENDING.remove(writer(context)).is_ok()
}
