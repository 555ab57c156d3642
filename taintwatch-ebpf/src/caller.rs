//! The code that caused a change of the mask: a frame of the stack, and whether its own instruction led there.
//!
//! A function that ends in a call of `add_taint` is compiled to a jump, and has no frame then: the next frame, which called
//! that function, did not cause anything. The instruction before its return address tells.

use aya_ebpf::{Global, helpers::generated::bpf_get_stack};
use core::ffi::c_void;
use taintwatch_common::{Caller, link};

use crate::target::{
    ABSENT, ADD_TAINT_END, ADD_TAINT_START, EXCEPTION_END, EXCEPTION_START, REPORTERS, THUNKS_END,
    THUNKS_START, value,
};

/// Frames searched for the caller: `WARN` needs nine, with those of every hook.
const SEARCHED: usize = 12;
/// `call rel32` (x86).
const CALL: u64 = 0xe8;

/// How many frames come before the caller of the hooked function, where its address is unknown.
#[derive(Clone, Copy)]
pub struct Skip(pub usize);

/// The innermost frames of a stack.
pub type Innermost = [u64; SEARCHED];

/// The frame of the code that caused the change: the first past `add_taint` and the functions that only report.
#[inline(always)]
pub fn caller(ctx: *mut c_void, skip: Skip) -> Caller {
    let mut frames: Innermost = [0; SEARCHED];
    caller_among(ctx, skip, &mut frames)
}

/// The same with the caller's room for frames: the stack of an eBPF program has 512 bytes.
#[inline(always)]
pub fn caller_among(ctx: *mut c_void, skip: Skip, frames: &mut Innermost) -> Caller {
    // SAFETY: the helper writes the array at most, zeros behind the last frame.
    unsafe {
        bpf_get_stack(
            ctx,
            frames.as_mut_ptr().cast(),
            size_of::<Innermost>() as u32,
            0,
        )
    };
    if ADD_TAINT_START.load() == ABSENT {
        let frame = frames.get(skip.0).copied().unwrap_or(0);
        return of_frame(frame, link::UNCHECKED, call_target(frame));
    }
    let [mut found, mut found_trapped, mut is_found] = [0_u64; 3];
    let mut passed = u64::from(skip.0 == 0);
    let mut trapped = passed;
    // Without a branch: the verifier would follow each frame's way to the end.
    for frame in frames.iter().copied() {
        let in_add_taint = inside(frame, &ADD_TAINT_START, &ADD_TAINT_END);
        let is_cause = passed & !in_add_taint & !is_reporter(frame) & !is_found & 1;
        found |= frame & is_cause.wrapping_neg();
        found_trapped |= trapped & is_cause;
        is_found |= is_cause;
        passed |= in_add_taint;
        trapped = inside(frame, &EXCEPTION_START, &EXCEPTION_END);
    }
    let target = call_target(found);
    of_frame(
        found,
        caller_link(found, target, found_trapped) as u32,
        target,
    )
}

/// Whether the code at this frame, which calls `target`, is the cause itself. An address that trapped, or that wrote, is.
/// Global and of numbers alone: the verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn caller_link(frame: u64, target: u64, trapped: u64) -> u64 {
    let link = if frame == 0 {
        link::UNKNOWN
    } else if trapped != 0 || leads_to_taint(target) {
        link::PROVEN
    } else if target == 0 || inside(target, &THUNKS_START, &THUNKS_END) != 0 {
        link::INDIRECT
    } else {
        link::JUMPED
    };
    u64::from(link)
}

#[inline(always)]
fn of_frame(address: u64, link: u32, target: u64) -> Caller {
    Caller {
        address,
        target,
        link,
        ..Caller::NONE
    }
}

/// What the direct call before a return address calls; 0 for any other instruction.
#[inline(always)]
fn call_target(address: u64) -> u64 {
    let bytes: u64 = value(address.wrapping_sub(8), 0);
    if (bytes >> 24) & 0xff != CALL {
        return 0;
    }
    // The displacement has a sign.
    address.wrapping_add(((bytes as i64) >> 32) as u64)
}

/// A call of a function that leads to the mask, or of the padding before it, where calls are counted
/// (`CONFIG_CALL_THUNKS`, `arch/x86/kernel/callthunks.c`).
#[inline(always)]
fn leads_to_taint(target: u64) -> bool {
    let function = target.wrapping_add(16);
    let padded = inside(function, &ADD_TAINT_START, &ADD_TAINT_END) | is_reporter(function);
    inside(target, &ADD_TAINT_START, &ADD_TAINT_END) | is_reporter(target) | padded != 0
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
pub fn inside(address: u64, start: &Global<u64>, end: &Global<u64>) -> u64 {
    let start = start.load();
    let (offset, length) = (address.wrapping_sub(start), end.load().wrapping_sub(start));
    // Both are below 2^63 when inside, so the difference alone borrows.
    (offset.wrapping_sub(length) & !offset) >> 63
}
