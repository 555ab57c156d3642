//! The code that caused a change of the mask, as an address: what occurrences are counted by.

use aya_ebpf::{Global, helpers::generated::bpf_get_stack};
use core::ffi::c_void;

use crate::target::{ABSENT, ADD_TAINT_END, ADD_TAINT_START, REPORTERS};

/// Frames searched for the caller: `WARN` needs nine, with those of every hook.
const SEARCHED: usize = 12;

/// How many frames come before the caller of the hooked function, where its address is unknown.
#[derive(Clone, Copy)]
pub struct Skip(pub usize);

/// The return address of the code that caused the change: the first past `add_taint` and the functions that only report.
#[inline(always)]
pub fn caller(ctx: *mut c_void, skip: Skip) -> u64 {
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
    if ADD_TAINT_START.load() == ABSENT {
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
