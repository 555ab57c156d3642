//! A limit for records that any user can cause: a program that opens sockets of unknown families makes the kernel ask for
//! thousands of modules a second.
//!
//! In: the current task's user. Out: whether one more record may be sent; what is left out is counted.

use aya_ebpf::{
    btf_maps::LruHashMap,
    helpers::{bpf_get_current_uid_gid, generated::bpf_ktime_get_boot_ns},
    macros::btf_map,
};
use taintwatch_common::counter;

use crate::counters;

/// Records that one user may cause at once, and the time after which it may cause one more.
const BURST: u64 = 64;
const REFILL_NS: u64 = 500_000_000;

/// What a user has caused: records in the bucket, and when the first of them was.
#[repr(C)]
#[derive(Clone, Copy)]
struct Bucket {
    spent: u64,
    since_ns: u64,
}

#[btf_map]
static BUCKETS: LruHashMap<u32, Bucket, 1024> = LruHashMap::new();

/// Whether the current task's user may cause one more record. Root is limited as well: in a user namespace of its own anybody
/// is root, and the uid is that outside.
#[inline(always)]
pub fn admits() -> bool {
    let user = bpf_get_current_uid_gid() as u32;
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    let Some(bucket) = BUCKETS.get_ptr_mut(user) else {
        let first = Bucket {
            spent: 1,
            since_ns: now,
        };
        _ = BUCKETS.insert(user, first, 0);
        return true;
    };
    // SAFETY: a map's value; a race costs a record more or less.
    let Bucket { spent, since_ns } = unsafe { bucket.read() };
    let refilled = now.wrapping_sub(since_ns) / REFILL_NS;
    let spent = spent.saturating_sub(refilled);
    if spent >= BURST {
        counters::count(counter::LIMITED);
        return false;
    }
    let next = Bucket {
        spent: spent + 1,
        since_ns: if refilled > 0 { now } else { since_ns },
    };
    // SAFETY: as above.
    unsafe { bucket.write(next) };
    true
}
