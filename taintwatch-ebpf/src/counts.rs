//! Exact counts under any load: the first occurrences of what happens again and again are records, the rest is
//! counted. Each occurrence is either a record in the ring or one in a count, never both.

use aya_ebpf::{
    btf_maps::{Array, HashMap},
    helpers::generated::bpf_ktime_get_boot_ns,
    macros::btf_map,
};
use taintwatch_common::{Caller, Count, CountKey, Left, Loading, SYMBOL_LEN, counter, link};

use crate::{counters, loader, process, ring, stack};

/// Records that one key may send at once, and the time after which it may send one more: in a row, and for ever. A site
/// that warns each minute of a year sends 48 a day, and the others are counted. Test suites need more than that at once:
/// `taintwatch run` finds by the record whose a taint is.
const BURST: u64 = 8;
const REFILL_NS: u64 = 10_000_000_000;
const LONG_BURST: u64 = 256;
const LONG_REFILL_NS: u64 = 1_800_000_000_000;
/// `BPF_NOEXIST`: a value that is there stays.
const NO_REPLACE: u64 = 1;

#[btf_map]
static COUNTS: HashMap<CountKey, Count, 4096> = HashMap::new();

/// Modules, and init codes of modules, that were freed so far.
#[btf_map]
static EPOCH: Array<u64, 1> = Array::new();

/// A key's first value. In .rodata, since it is too large for the stack.
static NEW: Count = Count {
    suppressed: 0,
    unsent: 0,
    paid_ns: 0,
    paid_long_ns: 0,
    last_ns: 0,
    created_ns: 0,
    link: 0,
    reserved: 0,
    loading: Loading::NONE,
    symbol: [0; SYMBOL_LEN],
};

/// Code of a module is freed: its addresses can become another module's.
#[inline(always)]
pub fn next_epoch() {
    if let Some(epoch) = EPOCH.get_ptr_mut(0) {
        counters::increment(epoch);
    }
}

/// Reserves a record for this occurrence, or counts the occurrence and gives `None`. `first` sends what has to stand before
/// the record.
#[inline(always)]
pub fn admit<T: taintwatch_common::Wire>(
    (flag, context): (u32, u32),
    caller: &Caller,
    first: impl FnOnce(),
) -> Option<*mut T> {
    let key = CountKey {
        flag,
        context,
        caller: caller.address,
        jumped: caller.jumped,
        load: loader::began_at(context),
        epoch: epoch(),
    };
    let slot = slot(&key, caller.link);
    if let Some(count) = slot
        && !may_send(count)
    {
        // SAFETY: a map's value lives as long as the map; userspace removes only keys that can grow no more.
        counters::increment(unsafe { &raw mut (*count).suppressed });
        return None;
    }
    process::emit_once(context);
    first();
    let record = ring::reserve::<T>();
    if record.is_none() {
        unsent(slot);
    }
    record
}

/// Counts an occurrence whose record was left to a trap that never came.
#[inline(always)]
pub fn untrapped(context: u32, left: &Left) {
    counts_untrapped(context, left.flag, left.caller, left.at_ns);
}

/// Global and of numbers alone: the verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn counts_untrapped(context: u32, flag: u32, caller: u64, at_ns: u64) -> u32 {
    let key = CountKey {
        flag,
        context,
        caller,
        jumped: 0,
        load: 0,
        epoch: epoch(),
    };
    let slot = slot(&key, link::INDIRECT);
    if let Some(count) = slot {
        // SAFETY: a map's value.
        unsafe { (*count).last_ns = at_ns };
    }
    unsent(slot);
    0
}

/// Counts an occurrence that has no record.
#[inline(always)]
fn unsent(slot: Option<*mut Count>) {
    match slot {
        // SAFETY: a map's value lives as long as the map; userspace removes only keys that can grow no more.
        Some(count) => counters::increment(unsafe { &raw mut (*count).unsent }),
        // The map is full: counted without a caller.
        None => counters::count(counter::UNKEYED),
    }
}

/// Two buckets that refill, each by the time until which it is paid for. Races cost a record more or less, never a
/// count.
#[inline(always)]
fn may_send(count: *mut Count) -> bool {
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    // SAFETY: the caller's value, as in each place below.
    unsafe { (*count).last_ns = now };
    // SAFETY: as above.
    let short = later(unsafe { (*count).paid_ns }, now) + REFILL_NS;
    // SAFETY: as above.
    let long = later(unsafe { (*count).paid_long_ns }, now) + LONG_REFILL_NS;
    let may = short - now <= BURST * REFILL_NS && long - now <= LONG_BURST * LONG_REFILL_NS;
    if may {
        // SAFETY: as above.
        unsafe { (*count).paid_ns = short };
        // SAFETY: as above.
        unsafe { (*count).paid_long_ns = long };
    }
    may
}

#[inline(always)]
const fn later(one: u64, other: u64) -> u64 {
    if one > other { one } else { other }
}

#[inline(always)]
fn slot(key: &CountKey, link: u32) -> Option<*mut Count> {
    if let Some(count) = COUNTS.get_ptr_mut(key) {
        return Some(count);
    }
    // Another CPU may have been first: its value stays.
    let new: &Count = &NEW;
    _ = COUNTS.insert(key, new, NO_REPLACE);
    let count = COUNTS.get_ptr_mut(key)?;
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    // SAFETY: a map's value. Another CPU may write it, too: both times are before the count was read by anybody.
    unsafe { (*count).created_ns = now };
    // SAFETY: a map's value; another CPU that reads it meanwhile finds an empty name.
    loader::fill(unsafe { &raw mut (*count).loading }, key.context);
    // SAFETY: as above.
    unsafe { (*count).link = link };
    // SAFETY: as above.
    let symbol = unsafe { &raw mut (*count).symbol };
    stack::symbol(key.caller.wrapping_sub(1), symbol);
    Some(count)
}

#[inline(always)]
fn epoch() -> u64 {
    // SAFETY: a slot of an array map lives for ever.
    EPOCH
        .get_ptr_mut(0)
        .map_or(0, |epoch| unsafe { epoch.read_volatile() })
}
