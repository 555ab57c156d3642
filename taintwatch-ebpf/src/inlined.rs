//! Copies of `add_taint` that compilers put into other functions: into `proc_taint` from 6.16 on, into
//! `__warn` in some 5.3 and 5.4 builds. The watch sees them; these hooks are for kernels where the
//! watch cannot be had, and for flags that are written to the sysctl again, whose bit no watch can tell. Each remembers its entry; a call that the hook on `add_taint` sees forgets it;
//! what is still there at the exit was done by a copy.

use aya_ebpf::{
    EbpfContext as _,
    btf_maps::HashMap,
    macros::{btf_map, fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use core::ffi::c_void;
use taintwatch_common::{SYSCTL_TEXT_LEN, SysctlWrite, TaintEntry, counter};

use crate::{
    counters,
    counts::{self, Skip},
    pending::{Writer, writer},
    process, record, ring, stack, taint_entry,
    target::{self, PROC_TAINT_END, PROC_TAINT_START, read_text},
    task::{self, Entered},
};

/// A call in progress.
#[repr(C)]
#[derive(Clone, Copy)]
struct Call {
    mask_before: u64,
    /// What `__warn` is about to set.
    flag: u64,
    /// What is written to the sysctl.
    text: [u8; SYSCTL_TEXT_LEN],
}

#[btf_map]
static CALLS: HashMap<Writer, Call, 1024> = HashMap::new();

/// The hook on `add_taint` sees this call: no copy is at work.
#[inline(always)]
pub fn seen(context: u32) {
    _ = CALLS.remove(writer(context));
}

/// Whether a write at `instruction` is by the copy inside `proc_taint`, whose exit will tell of it.
#[inline(always)]
pub fn explains(instruction: u64, context: u32) -> bool {
    let inside = instruction >= PROC_TAINT_START.load() && instruction < PROC_TAINT_END.load();
    inside && CALLS.get_ptr(writer(context)).is_some()
}

/// `proc_taint(table, write, buffer, lenp, ppos)`.
#[fentry]
fn proc_taint(ctx: FEntryContext) -> u32 {
    sysctl_began(ctx.arg::<i32>(1), ctx.arg(2));
    0
}

#[kprobe]
fn proc_taint_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(write), Some(buffer)) = (ctx.arg(1), ctx.arg(2)) {
        sysctl_began(write, buffer);
    }
    0
}

#[fexit]
fn proc_taint_exit(ctx: FExitContext) -> u32 {
    // Behind its five arguments stands what it returned.
    sysctl_ended(ctx.as_ptr(), ctx.arg(5));
    0
}

#[kretprobe]
fn proc_taint_kretprobe(ctx: RetProbeContext) -> u32 {
    sysctl_ended(ctx.as_ptr(), ctx.ret());
    0
}

/// `__warn(file, line, caller, taint, regs, args)`.
#[fentry]
fn warn(ctx: FEntryContext) -> u32 {
    warn_began(ctx.arg::<u32>(3));
    0
}

#[kprobe]
fn warn_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(flag) = ctx.arg(3) {
        warn_began(flag);
    }
    0
}

#[fexit]
fn warn_exit(ctx: FExitContext) -> u32 {
    // The program itself, its trampoline, __warn's caller.
    warn_ended(ctx.as_ptr(), Skip(2));
    0
}

#[kretprobe]
fn warn_kretprobe(ctx: RetProbeContext) -> u32 {
    warn_ended(ctx.as_ptr(), Skip(0));
    0
}

#[inline(always)]
fn sysctl_began(write: i32, buffer: u64) {
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
    _ = CALLS.insert(writer(task::context(Entered::ByCall)), call, 0);
}

#[inline(always)]
fn sysctl_ended(ctx: *mut c_void, result: i32) {
    let Some(call) = take(task::context(Entered::ByCall)) else {
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
    // SAFETY: `write` is fresh room for a whole record, as in each place below.
    unsafe { (*write).header = record::header::<SysctlWrite>(task::context(Entered::ByCall)) };
    // SAFETY: as above.
    task::fill(unsafe { &raw mut (*write).task });
    // SAFETY: as above.
    unsafe { (*write).mask_before = call.mask_before };
    // SAFETY: as above.
    unsafe { (*write).mask_after = target::mask() };
    // SAFETY: as above.
    unsafe { (*write).text = call.text };
    // SAFETY: as above.
    stack::fill(ctx, unsafe { &raw mut (*write).stack });
    ring::submit(write);
}

#[inline(always)]
fn warn_began(flag: u32) {
    let call = Call {
        mask_before: target::mask(),
        flag: u64::from(flag),
        text: [0; SYSCTL_TEXT_LEN],
    };
    _ = CALLS.insert(writer(task::context(Entered::ByCall)), call, 0);
}

#[inline(always)]
fn warn_ended(ctx: *mut c_void, skip: Skip) {
    let context = task::context(Entered::ByCall);
    let Some(call) = take(context) else {
        return;
    };
    let flag = call.flag as u32;
    let Some(entry) = counts::admit::<TaintEntry>(ctx, flag, context, skip) else {
        return;
    };
    taint_entry::fill(entry, ctx, flag, 0, context);
    // SAFETY: `entry` is a whole record by now.
    unsafe { (*entry).mask_before = call.mask_before };
    ring::submit(entry);
}

/// The call that is still remembered, forgotten from now on.
#[inline(always)]
fn take(context: u32) -> Option<Call> {
    let key = writer(context);
    let call = CALLS.get_ptr(key)?;
    // SAFETY: only this task in this context removes its own.
    let call = unsafe { call.read() };
    _ = CALLS.remove(key);
    Some(call)
}
