//! Layer 2: the entry of `add_taint(flag, lockdep_ok)`, for each call, whether the flag is set already or not.
//!
//! At the entry and not at the exit: with `panic_on_taint` the function never returns. Where the stack does not prove which
//! function called, and no register can be seen here, the record is left to the program on the watchpoint, which traps next.

use aya_ebpf::{
    EbpfContext as _,
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use core::ffi::c_void;
use taintwatch_common::{Caller, TaintEntry, counter, link};

use crate::{
    callees,
    caller::{Skip, caller},
    counters, counts, inlined, loader, pending, record, ring, stack, target,
    task::{self, Entered},
};

/// A call of `add_taint`.
#[derive(Clone, Copy)]
struct Call {
    flag: u32,
    lockdep_ok: u32,
    context: u32,
}

#[fentry]
fn add_taint(ctx: FEntryContext) -> u32 {
    let call = Call {
        flag: ctx.arg(0),
        lockdep_ok: ctx.arg(1),
        context: task::context(Entered::ByCall),
    };
    // The program itself, its trampoline, add_taint.
    let caller = caller(ctx.as_ptr(), Skip(3));
    log(&ctx, &call);
    let is_left = caller.link == link::INDIRECT && pending::traps_follow();
    entered(&call, if is_left { caller.address } else { 0 });
    if !is_left {
        // The program's context lies on the stack of the task.
        let stack = ctx.as_ptr() as u64;
        record(ctx.as_ptr(), &call, caller, || {
            loader::send_unload_stack(call.context, stack);
            callees::send_called(&caller)
        });
    }
    0
}

/// Where fentry cannot be had.
#[kprobe]
fn add_taint_kprobe(ctx: ProbeContext) -> u32 {
    let (Some(flag), Some(lockdep_ok)) = (ctx.arg(0), ctx.arg(1)) else {
        return 0;
    };
    let call = Call {
        flag,
        lockdep_ok,
        context: task::context(Entered::ByCall),
    };
    let mut caller = caller(ctx.as_ptr(), Skip(1));
    log(&ctx, &call);
    entered(&call, 0);
    let is_indirect = caller.link == link::INDIRECT;
    if is_indirect {
        caller.jumped = callees::search(ctx.regs, 0, 0);
    }
    // SAFETY: the context of a kprobe's program is the registers, which it may read.
    let stack = unsafe { (*ctx.regs).rsp };
    record(ctx.as_ptr(), &call, caller, || {
        loader::send_unload_stack(call.context, stack);
        if is_indirect {
            callees::send_found()
        } else {
            callees::send_called(&caller)
        }
    });
    0
}

/// For developers.
#[inline(always)]
fn log(ctx: &impl aya_ebpf::EbpfContext, call: &Call) {
    #[cfg(feature = "bpf-log")]
    aya_log_ebpf::info!(
        ctx,
        "add_taint({}, {}) in context {}",
        call.flag,
        call.lockdep_ok,
        call.context
    );
    #[cfg(not(feature = "bpf-log"))]
    let _ = (ctx, call);
}

/// `caller` is set where the record is left to the trap.
#[inline(always)]
fn entered(call: &Call, caller: u64) {
    counters::count(counter::ENTRIES);
    if let Some(left) = pending::entered(call.context, call.flag, caller) {
        counts::untrapped(call.context, &left);
    }
    inlined::seen(call.context);
}

#[inline(always)]
fn record(ctx: *mut c_void, call: &Call, mut caller: Caller, send: impl FnOnce() -> u64) {
    let key = (call.flag, call.context);
    let mut callees_ns = 0;
    let entry = counts::admit::<TaintEntry>(key, &caller, || callees_ns = send());
    let Some(entry) = entry else {
        return;
    };
    caller.callees_ns = callees_ns;
    fill(
        entry,
        ctx,
        (call.flag, call.lockdep_ok),
        call.context,
        caller,
    );
    ring::submit(entry);
}

/// Writes a whole record.
#[inline(always)]
pub fn fill(
    entry: *mut TaintEntry,
    ctx: *mut c_void,
    (flag, lockdep_ok): (u32, u32),
    context: u32,
    caller: Caller,
) {
    record::fill!(entry as TaintEntry {
        header: record::header::<TaintEntry>(context),
        task => task::fill,
        loading => |into| loader::fill(into, context),
        flag: flag,
        lockdep_ok: lockdep_ok,
        mask_before: target::mask(),
        caller: caller,
        stack => |into| stack::fill(ctx, into),
    });
}
