//! Exact counts under any load: the first occurrences of what happens again and again are records, the rest is
//! counted. Each occurrence is either a record in the ring or one in a count, never both.

use aya_ebpf::{
    btf_maps::{Array, HashMap},
    helpers::generated::{bpf_ktime_get_boot_ns, bpf_snprintf},
    macros::btf_map,
};
use core::ffi::c_void;
use taintwatch_common::{Count, CountKey, Loading, SYMBOL_LEN, counter};

pub use crate::caller::Skip;
use crate::{caller::caller, counters, loader, process, ring, target::HAS_SNPRINTF};

/// Records that one key may send at once …
const BURST: u64 = 8;
/// … and the time after which it may send one more.
const REFILL_NS: u64 = 10_000_000_000;
/// `BPF_NOEXIST`: a value that is there stays.
const NO_REPLACE: u64 = 1;

#[btf_map]
static COUNTS: HashMap<CountKey, Count, 4096> = HashMap::new();

/// Modules freed so far.
#[btf_map]
static EPOCH: Array<u64, 1> = Array::new();

/// `%pS` of one address.
#[unsafe(no_mangle)]
static ONE_SYMBOL: [u8; 4] = *b"%pS\0";

/// A key's first value. In .rodata, since it is too large for the stack.
static NEW: Count = Count {
    suppressed: 0,
    unsent: 0,
    spent: 0,
    since_ns: 0,
    last_ns: 0,
    loading: Loading::NONE,
    symbol: [0; SYMBOL_LEN],
};

/// A module is freed: its addresses can become another module's.
#[inline(always)]
pub fn next_epoch() {
    if let Some(epoch) = EPOCH.get_ptr_mut(0) {
        counters::increment(epoch);
    }
}

/// Reserves a record for this occurrence, or counts the occurrence and gives `None`.
#[inline(always)]
pub fn admit<T: taintwatch_common::Wire>(
    ctx: *mut c_void,
    flag: u32,
    context: u32,
    skip: Skip,
) -> Option<*mut T> {
    let key = CountKey {
        flag,
        context,
        caller: caller(ctx, skip),
        load: loader::began_at(context),
        epoch: epoch(),
    };
    let slot = slot(&key);
    if let Some(count) = slot
        && !may_send(count)
    {
        // SAFETY: a map's value lives as long as the map; userspace removes only keys that can grow no more.
        counters::increment(unsafe { &raw mut (*count).suppressed });
        return None;
    }
    process::emit_once(context);
    let record = ring::reserve::<T>();
    if record.is_none() {
        match slot {
            // SAFETY: as above.
            Some(count) => counters::increment(unsafe { &raw mut (*count).unsent }),
            // The map is full: counted without a caller.
            None => counters::count(counter::UNKEYED),
        }
    }
    record
}

/// A bucket that refills. Races cost a record more or less, never a count.
#[inline(always)]
fn may_send(count: *mut Count) -> bool {
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    // SAFETY: the caller's value, as in each place below.
    unsafe { (*count).last_ns = now };
    // SAFETY: as above.
    let since = unsafe { (*count).since_ns };
    // SAFETY: as above.
    let mut spent = unsafe { (*count).spent };
    let refilled = now.wrapping_sub(since) / REFILL_NS;
    if refilled > 0 {
        spent = spent.saturating_sub(refilled);
        // SAFETY: as above.
        unsafe { (*count).since_ns = now };
    }
    let may = spent < BURST;
    // SAFETY: as above.
    unsafe { (*count).spent = if may { spent + 1 } else { spent } };
    may
}

#[inline(always)]
fn slot(key: &CountKey) -> Option<*mut Count> {
    if let Some(count) = COUNTS.get_ptr_mut(key) {
        return Some(count);
    }
    // Another CPU may have been first: its value stays.
    let new: &Count = &NEW;
    _ = COUNTS.insert(key, new, NO_REPLACE);
    let count = COUNTS.get_ptr_mut(key)?;
    // SAFETY: a map's value; another CPU that reads it meanwhile finds an empty name.
    loader::fill(unsafe { &raw mut (*count).loading }, key.context);
    if HAS_SNPRINTF.load() == 1 {
        let mut address = key.caller.wrapping_sub(1);
        // SAFETY: as above.
        let symbol = unsafe { &raw mut (*count).symbol };
        // SAFETY: the format lies in frozen .rodata and has one specifier, and there is one address.
        unsafe {
            bpf_snprintf(
                symbol.cast(),
                SYMBOL_LEN as u32,
                ONE_SYMBOL.as_ptr().cast(),
                &raw mut address,
                8,
            )
        };
    }
    Some(count)
}

#[inline(always)]
fn epoch() -> u64 {
    // SAFETY: a slot of an array map lives for ever.
    EPOCH
        .get_ptr_mut(0)
        .map_or(0, |epoch| unsafe { epoch.read_volatile() })
}
