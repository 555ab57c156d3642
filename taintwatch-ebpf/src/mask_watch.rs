//! Layer 1: the write watchpoint on `tainted_mask`.
//!
//! The trap comes after the write (x86; `arch/x86/kernel/hw_breakpoint.c`), so the mask that is read
//! here is the new one. The old one is what the last trap read.

use aya_ebpf::{
    EbpfContext as _,
    btf_maps::Array,
    macros::{btf_map, perf_event},
    programs::PerfEventContext,
};
use taintwatch_common::{DIRECT_WRITE, MaskWrite, counter};

use crate::{
    counters,
    counts::{self, Skip},
    inlined, instruction, loader, pending, record, ring, stack,
    target::{self, ADD_TAINT_END, ADD_TAINT_START, TAINTED_MASK},
    task::{self, Entered},
};

/// The mask after the last write that was seen; userspace sets it before the watchpoints are armed.
///
/// Two writes on two CPUs within one trap's time can each see both bits: the first to come here
/// then reports both. The bits are right, and the entries name their causes apart.
#[btf_map]
static LAST_MASK: Array<u64, 1> = Array::new();

/// Where in `add_taint` an instruction is known to write the mask.
#[btf_map]
static PROVEN: Array<u64, 1> = Array::new();

#[perf_event]
fn mask_watch(ctx: PerfEventContext) -> u32 {
    // SAFETY: the context of a perf event program, whose fields it may read.
    if unsafe { (*ctx.ctx).addr } != TAINTED_MASK.load() {
        counters::count(counter::PROVEN);
        return 0;
    }
    let context = task::context(Entered::ByDebugException);
    let after = target::mask();
    let before = exchange(&LAST_MASK, after);
    // SAFETY: as above.
    let instruction = unsafe { (*ctx.ctx).regs.rip };
    let in_add_taint = in_add_taint(instruction);
    // By far the most traps are this one: the kernel's own code stays what it is, and is read once.
    if in_add_taint && instruction == last(&PROVEN) && pending::explains(context) {
        counters::count(counter::EXPLAINED);
        return 0;
    }
    let bit = instruction::wrote(ctx.ctx, instruction, before ^ after);
    if bit == instruction::ELSEWHERE {
        counters::count(counter::SPURIOUS);
        return 0;
    }
    if inlined::explains(instruction, context) {
        return 0;
    }
    if in_add_taint {
        exchange(&PROVEN, instruction);
        if pending::explains(context) {
            counters::count(counter::EXPLAINED);
            return 0;
        }
        counters::count(counter::UNEXPLAINED);
    }
    let (flag, skip) = if in_add_taint && bit != instruction::WRITTEN {
        // Counted as the flag that it is, by the caller as any other.
        (bit, Skip(1))
    } else {
        // The code that wrote comes first.
        (DIRECT_WRITE, Skip(0))
    };
    let Some(write) = counts::admit::<MaskWrite>(ctx.as_ptr(), flag, context, skip) else {
        return 0;
    };
    let stack_context = ctx.as_ptr();
    record::fill!(write as MaskWrite {
        bit: bit,
        in_add_taint: u32::from(in_add_taint),
        header: record::header::<MaskWrite>(context),
        task => task::fill,
        loading => |into| loader::fill(into, context),
        mask_before: before,
        mask_after: after,
        stack => |into| stack::fill(stack_context, into),
    });
    ring::submit(write);
    0
}

#[inline(always)]
fn last(slot: &Array<u64, 1>) -> u64 {
    // SAFETY: a slot of an array map is valid for ever.
    slot.get_ptr(0)
        .map_or(0, |last| unsafe { last.read_volatile() })
}

#[inline(always)]
fn exchange(slot: &Array<u64, 1>, value: u64) -> u64 {
    let Some(last) = slot.get_ptr_mut(0) else {
        return value;
    };
    // SAFETY: a slot of an array map is valid for ever.
    let before = unsafe { last.read_volatile() };
    // SAFETY: as above.
    unsafe { last.write_volatile(value) };
    before
}

/// Whether the write was made by `add_taint` itself, and not by a copy that the compiler put elsewhere.
#[inline(always)]
fn in_add_taint(instruction: u64) -> bool {
    instruction >= ADD_TAINT_START.load() && instruction < ADD_TAINT_END.load()
}
