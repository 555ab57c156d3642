//! Plain counters, and losses by the kind of the record that was lost.

use aya_ebpf::{
    btf_maps::{Array, PerCpuArray},
    macros::btf_map,
};
use core::intrinsics::{AtomicOrdering, atomic_xadd};
use taintwatch_common::{counter, kind};

/// Indexed by [`counter`], for each CPU.
#[btf_map]
static COUNTERS: PerCpuArray<u64, { counter::END as usize }> = PerCpuArray::new();

/// Records dropped because the ring was full, by [`kind`].
#[btf_map]
static LOST: Array<u64, { kind::END as usize }> = Array::new();

/// Counts one more of `index`.
#[inline(always)]
pub fn count(index: u32) {
    add(COUNTERS.get_ptr_mut(index));
}

/// Counts a lost record of `kind`.
#[inline(always)]
pub fn lost(kind: u16) {
    add(LOST.get_ptr_mut(u32::from(kind)));
}

/// Atomic, since programs run on every CPU, nested in one another, and preempted. By the intrinsic, since
/// `core` has no read-modify-write for this target; without its result, which kernels before 5.12 cannot return.
#[inline(always)]
pub fn increment(value: *mut u64) {
    // SAFETY: the caller's pointer is to a map's value, which is aligned and never freed.
    _ = unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(value, 1) };
}

#[inline(always)]
fn add(value: Option<*mut u64>) {
    if let Some(value) = value {
        increment(value);
    }
}
