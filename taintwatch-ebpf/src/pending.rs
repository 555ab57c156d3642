//! Entries of `add_taint` whose write has not been seen yet: they connect layer 2 to layer 1.
//!
//! `add_taint` writes the mask once, in the context that entered it. So the program on the watchpoint finds here the
//! entry that explains a write. A write without an entry was made by other code, or by a call that the hook missed.

use aya_ebpf::{btf_maps::HashMap, macros::btf_map};
use taintwatch_common::context;

use crate::task;

/// The task or CPU that is between the entry and the write.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Writer {
    task: u64,
    context: u32,
    /// `u32::MAX` for a task, which may change its CPU. Interrupts stay on theirs, and each CPU has an idle task with id 0.
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
    // When the map is full, the program on the watchpoint records a write that the entry has recorded already.
    _ = PENDING.insert(writer(context), flag, 0);
}

/// Whether an entry explains a write that was made in `context`; it explains one only.
#[inline(always)]
pub fn explains(context: u32) -> bool {
    PENDING.remove(writer(context)).is_ok()
}
