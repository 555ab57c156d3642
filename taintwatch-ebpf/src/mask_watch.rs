//! Layer 1: the write watchpoint on `tainted_mask`.
//!
//! The trap comes after the write (x86; `arch/x86/kernel/hw_breakpoint.c`), so the mask that is read
//! here is the new one. The old one is what the last trap read. The registers are those of the code that wrote: for a call
//! of `add_taint` whose caller the stack does not prove, they may lead to it.

use aya_ebpf::{
    EbpfContext as _,
    btf_maps::{Array, PerCpuArray},
    macros::{btf_map, perf_event},
    programs::PerfEventContext,
};
use taintwatch_common::{Caller, DIRECT_WRITE, MaskWrite, counter, link, writer};

use crate::{
    callees,
    caller::{Innermost, Skip, caller_among},
    counters, counts, inlined, instruction, loader, pending, record, ring, stack,
    target::{self, ADD_TAINT_END, ADD_TAINT_START, TAINTED_MASK},
    task::{self, Entered},
};

/// The mask after the last write that was seen; userspace sets it before the watchpoints are armed.
///
/// Two writes on two CPUs within one trap's time can each see both bits: the first to come here
/// then reports both. The bits are right, and the entries name their causes apart.
#[btf_map]
static LAST_MASK: Array<u64, 1> = Array::new();

/// What does not fit the stack of this program, which has 512 bytes with all that it calls. No two programs on events run on a
/// CPU at once (`bpf_prog_active`, `kernel/events/core.c`).
#[repr(C)]
#[derive(Clone, Copy)]
struct Room {
    frames: Innermost,
    caller: Caller,
}

#[btf_map]
static ROOM: PerCpuArray<Room, 1> = PerCpuArray::new();

/// Where in `add_taint` an instruction is known to write the mask.
#[btf_map]
static PROVEN: Array<u64, 1> = Array::new();

/// A write of the mask.
struct Write {
    /// The flag that the instruction set, if it was one.
    bit: u32,
    /// One of [`writer`].
    writer: u32,
    before: u64,
    after: u64,
    context: u32,
}

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
    let entry = if in_add_taint {
        pending::take(context)
    } else {
        None
    };
    let mut write = Write {
        bit: instruction::WRITTEN,
        writer: writer::LEFT_BY_ENTRY,
        before,
        after,
        context,
    };
    // By far the most traps are these: the kernel's own code stays what it is, and is read once.
    if let Some(left) = entry
        && (left.caller != 0 || instruction == last(&PROVEN))
    {
        counters::count(counter::EXPLAINED);
        if left.caller == 0 {
            return 0;
        }
        write.bit = left.flag;
    } else {
        write.bit = instruction::wrote(ctx.ctx, instruction, before ^ after);
        if write.bit == instruction::ELSEWHERE {
            counters::count(counter::SPURIOUS);
            return 0;
        }
        if inlined::explains(instruction, context) {
            return 0;
        }
        if in_add_taint {
            exchange(&PROVEN, instruction);
            if entry.is_some() {
                counters::count(counter::EXPLAINED);
                return 0;
            }
            counters::count(counter::UNEXPLAINED);
        }
        write.writer = if in_add_taint {
            writer::ADD_TAINT
        } else {
            writer::OTHER
        };
    }
    record(&ctx, &write);
    0
}

#[inline(always)]
fn record(ctx: &PerfEventContext, write: &Write) {
    let (flag, skip) = if write.writer != writer::OTHER && write.bit != instruction::WRITTEN {
        // Counted as the flag that it is, by the caller as any other.
        (write.bit, Skip(1))
    } else {
        // The code that wrote comes first.
        (DIRECT_WRITE, Skip(0))
    };
    let Some(room) = ROOM.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: a map's value, which this program alone uses on this CPU.
    let Room { frames, caller } = unsafe { &mut *room };
    *caller = caller_among(ctx.as_ptr(), skip, frames);
    // SAFETY: the context of a perf event program begins with the registers, which it may read.
    let regs = unsafe { &raw const (*ctx.ctx).regs };
    // SAFETY: as above.
    let stack_pointer = unsafe { (*ctx.ctx).regs.rsp };
    let is_indirect = caller.link == link::INDIRECT;
    if is_indirect {
        caller.jumped = callees::search(regs.cast(), stack_pointer, caller.address);
    }
    let mut callees_ns = 0;
    let admitted = counts::admit::<MaskWrite>((flag, write.context), caller, || {
        callees_ns = if is_indirect {
            callees::send_found()
        } else {
            callees::send_called(caller)
        };
    });
    let Some(record) = admitted else {
        return;
    };
    caller.callees_ns = callees_ns;
    let stack_context = ctx.as_ptr();
    record::fill!(record as MaskWrite {
        bit: write.bit,
        writer: write.writer,
        header: record::header::<MaskWrite>(write.context),
        task => task::fill,
        loading => |into| loader::fill(into, write.context),
        mask_before: write.before,
        mask_after: write.after,
        caller: *caller,
        stack => |into| stack::fill(stack_context, into),
    });
    ring::submit(record);
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
