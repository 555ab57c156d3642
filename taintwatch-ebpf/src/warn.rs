//! Layer 2: warnings whose flag a copy of `add_taint` inside `__warn` sets.

use aya_ebpf::{
    EbpfContext as _,
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use core::ffi::c_void;
use taintwatch_common::{SYSCTL_TEXT_LEN, TaintEntry};

use crate::{
    caller::{Skip, caller},
    counts,
    inlined::{self, Call},
    ring, taint_entry, target,
    task::{self, Entered},
};

/// `__warn(file, line, caller, taint, regs, args)`.
#[fentry]
fn warn(ctx: FEntryContext) -> u32 {
    began(ctx.arg::<u32>(3));
    0
}

#[kprobe]
fn warn_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(flag) = ctx.arg(3) {
        began(flag);
    }
    0
}

#[fexit]
fn warn_exit(ctx: FExitContext) -> u32 {
    // The program itself, its trampoline, __warn's caller.
    ended(ctx.as_ptr(), Skip(2));
    0
}

#[kretprobe]
fn warn_kretprobe(ctx: RetProbeContext) -> u32 {
    ended(ctx.as_ptr(), Skip(0));
    0
}

#[inline(always)]
fn began(flag: u32) {
    let call = Call {
        mask_before: target::mask(),
        flag: u64::from(flag),
        text: [0; SYSCTL_TEXT_LEN],
    };
    inlined::entered(task::context(Entered::ByCall), call);
}

#[inline(always)]
fn ended(ctx: *mut c_void, skip: Skip) {
    let context = task::context(Entered::ByCall);
    let Some(call) = inlined::take(context) else {
        return;
    };
    let flag = call.flag as u32;
    let caller = caller(ctx, skip);
    let Some(entry) = counts::admit::<TaintEntry>((flag, context), &caller, || ()) else {
        return;
    };
    taint_entry::fill(entry, ctx, (flag, 0), context, caller);
    // SAFETY: `entry` is a whole record by now.
    unsafe { (*entry).mask_before = call.mask_before };
    ring::submit(entry);
}
