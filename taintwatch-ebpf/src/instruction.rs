//! Whether the instruction that trapped wrote the mask, and which bit of it.
//!
//! The trap comes right behind the instruction, and registers still hold what they held, but for those that it wrote itself.
//! So its bytes and the registers prove where it wrote: a processor may report a breakpoint for a write near it, as
//! emulated ones do now and then. `set_bit` with a variable bit is one instruction, `lock bts %register, memory`
//! (`arch/x86/include/asm/bitops.h`), which identifies a flag that was set already, where the mask shows no change.

use aya_ebpf::{
    bindings::{bpf_perf_event_data, pt_regs},
    btf_maps::PerCpuArray,
    macros::btf_map,
};
use taintwatch_common::x86::{self, Store, Trap, slot};
pub use taintwatch_common::x86::{ELSEWHERE, WRITTEN};

use crate::{
    registers,
    target::{PER_CPU_OFFSET, TAINTED_MASK, value},
    task,
};

/// String instructions go downwards (`X86_EFLAGS_DF`).
const DOWNWARDS: u64 = 1 << 10;
const PAGE: u64 = 4096;

/// What stands in each slot. Not on the stack, where an index that moves is only allowed since 5.12. No two programs on
/// events run on a CPU at once (`bpf_prog_active`, `kernel/events/core.c`).
#[btf_map]
static VALUES: PerCpuArray<[u64; slot::END], 1> = PerCpuArray::new();

/// The values, in their map.
struct Values(*const u64);

impl Trap for Values {
    #[inline(always)]
    fn value(&self, slot: u64) -> u64 {
        // SAFETY: the mask keeps the index below the length.
        let value = unsafe { self.0.add(slot as usize & (slot::END - 1)) };
        // SAFETY: a map's value is valid for ever.
        unsafe { value.read_volatile() }
    }

    #[inline(always)]
    fn decode(&self, first: u64, second: u64, length: u32) -> Store {
        Store::from_bits(instruction_store(first, second, length))
    }
}

/// Global and of numbers alone, as is the next: the verifier follows them once, and not once a call.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn instruction_store(first: u64, second: u64, length: u32) -> u64 {
    x86::decode(first, second, length).to_bits()
}

/// By the values in their map. Code that cannot be read proves nothing.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn instruction_wrote(next: u64, second: u64, changed: u64) -> u32 {
    let Some(values) = VALUES.get_ptr(0) else {
        return ELSEWHERE;
    };
    let trap = Values(values.cast());
    let mask = TAINTED_MASK.load();
    let first = value(next.wrapping_sub(16), 0);
    let wrote = trap.wrote(first, second, mask, changed);
    if wrote == ELSEWHERE && changed != 0 && trap.goes_on(value(next, 0), mask) {
        return WRITTEN;
    }
    wrote
}

/// What the instruction before `next` did to the mask, which `changed` unless that is 0: the bit that it set, [`WRITTEN`] or
/// [`ELSEWHERE`].
#[inline(always)]
pub fn wrote(context: *mut bpf_perf_event_data, next: u64, changed: u64) -> u32 {
    let Some(values) = VALUES.get_ptr_mut(0) else {
        return ELSEWHERE;
    };
    let second = before(next);
    // SAFETY: the context of a perf event program begins with the registers, which it may read.
    let regs = unsafe { &raw const (*context).regs };
    fill(values.cast(), regs, next, second);
    instruction_wrote(next, second, changed)
}

/// The last eight bytes of code before `next`.
#[inline(always)]
fn before(next: u64) -> u64 {
    let bytes = value(next.wrapping_sub(8), 0);
    if bytes != 0 {
        return bytes;
    }
    // Text may begin less than eight bytes before, and nothing lie below it.
    let inside = next % PAGE;
    let begins: u64 = value(next.wrapping_sub(inside), 0);
    begins << (64_u64.wrapping_sub(8 * inside) & 63)
}

#[inline(always)]
fn fill(values: *mut u64, regs: *const pt_regs, next: u64, last: u64) {
    let put = |slot: u64, value: u64| {
        // SAFETY: every slot is below the length.
        let place = unsafe { values.add(slot as usize) };
        // SAFETY: a map's value is valid for ever.
        unsafe { place.write_volatile(value) };
    };
    registers::each!(
        regs, put, 0 rax, 1 rcx, 2 rdx, 3 rbx, 4 rsp, 5 rbp, 6 rsi, 7 rdi,
        8 r8, 9 r9, 10 r10, 11 r11, 12 r12, 13 r13, 14 r14, 15 r15
    );
    put(slot::NOTHING, 0);
    put(slot::NEXT, next);
    put(slot::LAST, last);
    put(
        slot::GS,
        value(PER_CPU_OFFSET.load(), u64::from(task::cpu()) * 8),
    );
    // SAFETY: a field of the context.
    let flags = unsafe { &raw const (*regs).eflags };
    // SAFETY: as above.
    let flags = unsafe { flags.read_volatile() };
    put(
        slot::DOWNWARDS,
        if flags & DOWNWARDS == 0 { 0 } else { u64::MAX },
    );
}
