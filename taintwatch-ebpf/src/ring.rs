//! The ring buffer to userspace.

use aya_ebpf::{
    btf_maps::RingBuf,
    helpers::generated::{bpf_ringbuf_query, bpf_ringbuf_reserve, bpf_ringbuf_submit},
    macros::btf_map,
};
use taintwatch_common::Wire;

use crate::counters;

/// Bytes of the ring: some 400 of the records of taints.
const RING_BYTES: usize = 1 << 20;
/// How full the ring may be for a record of detail: the rest is for taints.
const FOR_DETAIL: u64 = RING_BYTES as u64 / 2;
/// `BPF_RB_AVAIL_DATA`: bytes that were not read yet.
const UNREAD: u64 = 0;
/// `BPF_RB_FORCE_WAKEUP`.
const FORCE_WAKEUP: u64 = 2;

#[btf_map]
pub static EVENTS: RingBuf<u64, RING_BYTES> = RingBuf::new();

/// Reserves one record, or counts a loss and gives `None`.
///
/// The caller writes the whole record ([`crate::record::fill!`]) and calls [`submit`].
#[inline(always)]
pub fn reserve<T: Wire>() -> Option<*mut T> {
    // SAFETY: the map is a ring buffer, and the size is a constant multiple of eight.
    let record = unsafe {
        bpf_ringbuf_reserve(
            (&raw const EVENTS).cast_mut().cast(),
            size_of::<T>() as u64,
            0,
        )
    };
    if record.is_null() {
        counters::lost(T::KIND);
        return None;
    }
    Some(record.cast())
}

/// The same for a record that only adds to others, such as a process: any user can cause many of those, and they must
/// not push out a taint.
#[inline(always)]
pub fn reserve_detail<T: Wire>() -> Option<*mut T> {
    // SAFETY: the map is a ring buffer.
    let unread = unsafe { bpf_ringbuf_query((&raw const EVENTS).cast_mut().cast(), UNREAD) };
    if unread > FOR_DETAIL {
        counters::lost(T::KIND);
        return None;
    }
    reserve()
}

/// Hands a record over and wakes the reader. Always: the kernel does so by itself only for a reader that has given back
/// all that it read (`bpf_ringbuf_commit`, `kernel/bpf/ringbuf.c`), and ours keeps the last records.
#[inline(always)]
pub fn submit<T>(record: *mut T) {
    // SAFETY: `record` came from `reserve` and is given away here.
    unsafe { bpf_ringbuf_submit(record.cast(), FORCE_WAKEUP) };
}
