//! Calls of functions that may hold a copy of `add_taint`: compilers put one into `proc_taint` from 6.16 on, and into
//! `__warn` in some 5.3 and 5.4 builds.
//!
//! The watchpoint sees what a copy writes. The hooks in `proc_taint` and `warn` are for kernels where no watchpoint can be
//! had, and for flags that are written to the sysctl again. Each remembers its entry here; a call that the hook on
//! `add_taint` sees is forgotten; what is still there at the exit was done by a copy.

use aya_ebpf::{btf_maps::HashMap, macros::btf_map};
use taintwatch_common::{SYSCTL_TEXT_LEN, Writer};

use crate::{
    pending::writer,
    target::{PROC_TAINT_END, PROC_TAINT_START},
};

/// A call in progress.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Call {
    pub mask_before: u64,
    /// What `__warn` is about to set.
    pub flag: u64,
    /// What is written to the sysctl.
    pub text: [u8; SYSCTL_TEXT_LEN],
}

#[btf_map]
static CALLS: HashMap<Writer, Call, 1024> = HashMap::new();

/// Remembers a call that was entered in `context`.
#[inline(always)]
pub fn entered(context: u32, call: Call) {
    _ = CALLS.insert(writer(context), call, 0);
}

/// Forgets the call: the hook on `add_taint` sees it, so no copy runs.
#[inline(always)]
pub fn seen(context: u32) {
    _ = CALLS.remove(writer(context));
}

/// Whether a write at `instruction` is by the copy inside `proc_taint`, which the hook on its exit records.
#[inline(always)]
pub fn explains(instruction: u64, context: u32) -> bool {
    let inside = instruction >= PROC_TAINT_START.load() && instruction < PROC_TAINT_END.load();
    inside && CALLS.get_ptr(writer(context)).is_some()
}

/// The call, if it is still remembered; forgotten from now on.
#[inline(always)]
pub fn take(context: u32) -> Option<Call> {
    let key = writer(context);
    let call = CALLS.get_ptr(key)?;
    // SAFETY: only this task in this context removes its own.
    let call = unsafe { call.read() };
    _ = CALLS.remove(key);
    Some(call)
}
