//! Layer 2: the entry of `add_taint(flag, lockdep_ok)`, for each call, whether the flag is set already or not.
//!
//! At the entry and not at the exit: with `panic_on_taint` the function never returns.

use aya_ebpf::{
    EbpfContext as _,
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use core::ffi::c_void;
use taintwatch_common::{TaintEntry, counter};

use crate::{
    counters,
    counts::{self, Skip},
    inlined, loader, pending, record, ring, stack, target,
    task::{self, Entered},
};

#[fentry]
fn add_taint(ctx: FEntryContext) -> u32 {
    // The program itself, its trampoline, add_taint.
    entered(ctx.as_ptr(), ctx.arg(0), ctx.arg(1), Skip(3));
    0
}

/// Where fentry cannot be had.
#[kprobe]
fn add_taint_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(flag), Some(lockdep_ok)) = (ctx.arg(0), ctx.arg(1)) {
        entered(ctx.as_ptr(), flag, lockdep_ok, Skip(1));
    }
    0
}

#[inline(always)]
fn entered(ctx: *mut c_void, flag: u32, lockdep_ok: u32, skip: Skip) {
    let context = task::context(Entered::ByCall);
    counters::count(counter::ENTRIES);
    pending::entered(context, u64::from(flag));
    inlined::seen(context);
    #[cfg(feature = "bpf-log")]
    aya_log_ebpf::info!(
        &Raw(ctx),
        "add_taint({}, {}) in context {}",
        flag,
        lockdep_ok,
        context
    );
    let Some(entry) = counts::admit::<TaintEntry>(ctx, flag, context, skip) else {
        return;
    };
    fill(entry, ctx, flag, lockdep_ok, context);
    ring::submit(entry);
}

/// Writes a whole record.
#[inline(always)]
pub fn fill(entry: *mut TaintEntry, ctx: *mut c_void, flag: u32, lockdep_ok: u32, context: u32) {
    record::fill!(entry as TaintEntry {
        header: record::header::<TaintEntry>(context),
        task => task::fill,
        loading => |into| loader::fill(into, context),
        flag: flag,
        lockdep_ok: lockdep_ok,
        mask_before: target::mask(),
        stack => |into| stack::fill(ctx, into),
    });
}

/// The bare context, which is all that aya-log asks for.
#[cfg(feature = "bpf-log")]
struct Raw(*mut c_void);

#[cfg(feature = "bpf-log")]
impl aya_ebpf::EbpfContext for Raw {
    fn as_ptr(&self) -> *mut c_void {
        self.0
    }
}
