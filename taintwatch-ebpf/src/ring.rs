//! The ring buffer to userspace, and the count of records that found no room in it.

use aya_ebpf::{
    btf_maps::{PerCpuArray, RingBuf},
    helpers::generated::{bpf_ringbuf_reserve, bpf_ringbuf_submit},
    macros::btf_map,
};
use taintwatch_common::loss;

/// Bytes of the ring unless userspace asks for another size: some 600 of the largest records.
const RING_BYTES: usize = 1 << 20;

#[btf_map]
pub static EVENTS: RingBuf<u64, RING_BYTES> = RingBuf::new();

/// Records lost on each CPU, by reason.
#[btf_map]
static LOST: PerCpuArray<u64, { loss::REASONS as usize }> = PerCpuArray::new();

/// Room for one record, or `None` and a loss counted.
///
/// Whoever takes it writes the record whole and calls [`submit`].
#[inline(always)]
pub fn reserve<T>() -> Option<*mut T> {
    // SAFETY: the map is a ring buffer, and the size is a constant multiple of eight.
    let room = unsafe {
        bpf_ringbuf_reserve(
            (&raw const EVENTS).cast_mut().cast(),
            size_of::<T>() as u64,
            0,
        )
    };
    if room.is_null() {
        count_loss(loss::RING);
        return None;
    }
    Some(room.cast())
}

/// Hands a record over and wakes the reader.
#[inline(always)]
pub fn submit<T>(record: *mut T) {
    // SAFETY: `record` came from `reserve` and is given away here.
    unsafe { bpf_ringbuf_submit(record.cast(), 0) };
}

#[inline(always)]
fn count_loss(reason: u32) {
    if let Some(count) = LOST.get_ptr_mut(reason) {
        // SAFETY: the slot is this CPU's own.
        let old = unsafe { count.read() };
        // SAFETY: as above; an NMI in between can only make the count too small by its own loss.
        unsafe { count.write(old + 1) };
    }
}
