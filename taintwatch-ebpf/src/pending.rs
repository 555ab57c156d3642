//! Entries of `add_taint` whose write has not been seen yet: they connect layer 2 to layer 1.
//!
//! `add_taint` writes the mask once, in the context that entered it. So the program on the watchpoint finds here the
//! entry that explains a write. A write without an entry was made by other code, or by a call that the hook missed.

use aya_ebpf::{
    btf_maps::{Array, HashMap},
    helpers::generated::bpf_ktime_get_boot_ns,
    macros::btf_map,
};
use taintwatch_common::{Left, Writer, context};

use crate::task;

/// More than can be between entry and write at once on any machine: four contexts a CPU. Userspace reads it for entries
/// whose trap never came.
#[btf_map]
static PENDING: HashMap<Writer, Left, 4096> = HashMap::new();

/// 1 while userspace knows that a trap follows each entry of `add_taint` on every CPU.
#[btf_map]
static TRAPS: Array<u64, 1> = Array::new();

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

/// `add_taint` was entered with `flag`; with `caller`, the record is left to the program on the watchpoint. Gives what an
/// earlier entry left that no trap followed.
#[inline(always)]
pub fn entered(context: u32, flag: u32, caller: u64) -> Option<Left> {
    let key = writer(context);
    let before = get(key).filter(|left| left.caller != 0);
    let at_ns = if caller == 0 {
        0
    } else {
        // SAFETY: no arguments.
        unsafe { bpf_ktime_get_boot_ns() }
    };
    let left = Left {
        flag,
        reserved: 0,
        caller,
        at_ns,
    };
    // When the map is full, the program on the watchpoint finds no entry, and records the write itself.
    _ = PENDING.insert(key, left, 0);
    before
}

/// The entry that explains a write that was made in `context`; it explains one only.
#[inline(always)]
pub fn take(context: u32) -> Option<Left> {
    let key = writer(context);
    let left = get(key)?;
    // Userspace may have taken it.
    PENDING.remove(key).is_ok().then_some(left)
}

/// Whether the record of an entry may be left to the program on the watchpoint.
#[inline(always)]
pub fn traps_follow() -> bool {
    // SAFETY: a slot of an array map lives for ever.
    TRAPS
        .get_ptr(0)
        .is_some_and(|traps| unsafe { traps.read_volatile() } == 1)
}

#[inline(always)]
fn get(key: Writer) -> Option<Left> {
    // SAFETY: only this task in this context writes its own entry.
    PENDING.get_ptr(key).map(|left| unsafe { left.read() })
}
