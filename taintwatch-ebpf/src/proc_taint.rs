//! Layer 2: writes to `/proc/sys/kernel/tainted` whose flags a copy of `add_taint` inside `proc_taint` sets.

use aya_ebpf::{
    EbpfContext as _,
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use core::ffi::c_void;
use taintwatch_common::{SYSCTL_TEXT_LEN, SysctlWrite, counter};

use crate::{
    counters,
    inlined::{self, Call},
    process, record, ring, stack,
    target::{self, read_text},
    task::{self, Entered},
};

/// `proc_taint(table, write, buffer, lenp, ppos)`.
#[fentry]
fn proc_taint(ctx: FEntryContext) -> u32 {
    began(ctx.arg::<i32>(1), ctx.arg(2));
    0
}

#[kprobe]
fn proc_taint_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(write), Some(buffer)) = (ctx.arg(1), ctx.arg(2)) {
        began(write, buffer);
    }
    0
}

#[fexit]
fn proc_taint_exit(ctx: FExitContext) -> u32 {
    // The result follows the five arguments.
    ended(ctx.as_ptr(), ctx.arg(5));
    0
}

#[kretprobe]
fn proc_taint_kretprobe(ctx: RetProbeContext) -> u32 {
    ended(ctx.as_ptr(), ctx.ret());
    0
}

#[inline(always)]
fn began(write: i32, buffer: u64) {
    if write == 0 {
        counters::count(counter::READS);
        return;
    }
    let mut call = Call {
        mask_before: target::mask(),
        flag: 0,
        text: [0; SYSCTL_TEXT_LEN],
    };
    read_text(buffer, &raw mut call.text);
    inlined::entered(task::context(Entered::ByCall), call);
}

#[inline(always)]
fn ended(ctx: *mut c_void, result: i32) {
    let Some(call) = inlined::take(task::context(Entered::ByCall)) else {
        return;
    };
    // Refused: without CAP_SYS_ADMIN, by `nousertaint`, or as no number. Nothing was set.
    if result < 0 {
        return;
    }
    process::emit_once(task::context(Entered::ByCall));
    let Some(write) = ring::reserve::<SysctlWrite>() else {
        return;
    };
    record::fill!(write as SysctlWrite {
        header: record::header::<SysctlWrite>(task::context(Entered::ByCall)),
        task => task::fill,
        mask_before: call.mask_before,
        mask_after: target::mask(),
        text: call.text,
        stack => |into| stack::fill(ctx, into),
    });
    ring::submit(write);
}
