//! The ring buffer to userspace.

use aya_ebpf::{
    btf_maps::RingBuf,
    helpers::generated::{bpf_ringbuf_reserve, bpf_ringbuf_submit},
    macros::btf_map,
};
use taintwatch_common::Wire;

use crate::counters;

/// Bytes of the ring unless userspace asks for another size: some 600 of the largest records.
const RING_BYTES: usize = 1 << 20;

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

/// Hands a record over and wakes the reader.
#[inline(always)]
pub fn submit<T>(record: *mut T) {
    // SAFETY: `record` came from `reserve` and is given away here.
    unsafe { bpf_ringbuf_submit(record.cast(), 0) };
}
