//! Exact counts under any load: what happens again and again is told in full at first, and then
//! counted. Each occurrence is either a record in the ring or one in a count, never both.

use aya_ebpf::{
    Global,
    btf_maps::{Array, HashMap},
    helpers::generated::{bpf_get_stack, bpf_ktime_get_boot_ns, bpf_snprintf},
    macros::btf_map,
};
use core::ffi::c_void;
use taintwatch_common::{Count, CountKey, SYMBOL_LEN, counter};

use crate::{
    counters, loader, process, ring,
    target::{ADD_TAINT_END, ADD_TAINT_START, HAS_SNPRINTF, REPORTERS},
};

/// Records that one key may send at once …
const BURST: u64 = 8;
/// … and the time after which it may send one more.
const REFILL_NS: u64 = 10_000_000_000;
/// `BPF_NOEXIST`: a value that is there stays.
const NO_REPLACE: u64 = 1;
/// Frames searched for the caller: `WARN` needs nine with every hook's own.
const SEARCHED: usize = 12;

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
    loading: loader::NO_LOAD,
    symbol: [0; SYMBOL_LEN],
};

/// How many frames come before the caller of the hooked function, where its address is unknown.
#[derive(Clone, Copy)]
pub struct Skip(pub usize);

/// A module is freed: addresses change hands.
#[inline(always)]
pub fn next_epoch() {
    if let Some(epoch) = EPOCH.get_ptr_mut(0) {
        counters::increment(epoch);
    }
}

/// Room for a record of this occurrence, or `None` and the occurrence counted.
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
        // SAFETY: a map's value lives as long as the map; userspace removes keys of the past alone.
        counters::increment(unsafe { &raw mut (*count).suppressed });
        return None;
    }
    process::emit_once(context);
    let room = ring::reserve::<T>();
    if room.is_none() {
        match slot {
            // SAFETY: as above.
            Some(count) => counters::increment(unsafe { &raw mut (*count).unsent }),
            // More keys than there is room for: counted without a name.
            None => counters::count(counter::UNKEYED),
        }
    }
    room
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
    let forgiven = now.wrapping_sub(since) / REFILL_NS;
    if forgiven > 0 {
        spent = spent.saturating_sub(forgiven);
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
    // SAFETY: a map's value; whoever reads it meanwhile finds an empty name.
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

/// The return address of the code that caused it: the first past `add_taint` and past what only reports.
#[inline(always)]
fn caller(ctx: *mut c_void, skip: Skip) -> u64 {
    let mut frames = [0_u64; SEARCHED];
    // SAFETY: the helper writes the array at most.
    unsafe {
        bpf_get_stack(
            ctx,
            frames.as_mut_ptr().cast(),
            size_of::<[u64; SEARCHED]>() as u32,
            0,
        )
    };
    let mut passed = false;
    if ADD_TAINT_START.load() == crate::target::ABSENT {
        return frames.get(skip.0).copied().unwrap_or(0);
    }
    for frame in frames {
        if inside(frame, &ADD_TAINT_START, &ADD_TAINT_END) != 0 {
            passed = true;
        } else if (passed || skip.0 == 0) && is_reporter(frame) == 0 {
            return frame;
        }
    }
    0
}

#[inline(always)]
fn is_reporter(frame: u64) -> u64 {
    let mut found = 0;
    for [start, end] in &REPORTERS {
        found |= inside(frame, start, end);
    }
    found
}

/// 1 when `start <= address < end`, without a branch: the verifier follows each side of every one.
#[inline(always)]
fn inside(address: u64, start: &Global<u64>, end: &Global<u64>) -> u64 {
    let start = start.load();
    let (offset, length) = (address.wrapping_sub(start), end.load().wrapping_sub(start));
    // Both are below 2^63 when inside, so the difference alone borrows.
    (offset.wrapping_sub(length) & !offset) >> 63
}
