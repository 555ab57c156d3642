//! Which bit a write to the mask set, from the instruction that wrote.
//!
//! `set_bit` with a variable bit is one instruction on x86, `lock bts %register, address(%rip)`
//! (`arch/x86/include/asm/bitops.h`), and the trap comes right behind it: the register still holds the bit. So the
//! watch can tell a flag that was set already, where the mask shows no change.

use aya_ebpf::bindings::bpf_perf_event_data;

use crate::target::{TAINTED_MASK, value};

/// Bytes of the instruction: prefixes, opcode, operands, displacement.
const LENGTH: u64 = 9;
/// What there is of other instructions.
pub const UNKNOWN: u32 = u32::MAX;

/// The bit, or [`UNKNOWN`] for any other instruction, or one that writes elsewhere. A function of its own, for the
/// registers that it keeps on its stack.
#[inline(never)]
pub fn bit(context: *mut bpf_perf_event_data, next: u64) -> u32 {
    let start = next.wrapping_sub(LENGTH);
    let first: u64 = value(start, 0);
    let last: u32 = value(start, 5);
    let [lock, rex, escape, opcode, operands, ..] = first.to_le_bytes();
    let is_bts = lock == 0xf0 && rex & 0xfb == 0x48 && escape == 0x0f && opcode == 0xab;
    let relative = operands & 0xc7 == 0x05;
    let target = next.wrapping_add_signed(i64::from(last as i32));
    if !(is_bts && relative && target == TAINTED_MASK.load()) {
        return UNKNOWN;
    }
    let register = (operands >> 3 & 7 | (rex & 4) << 1) & 15;
    let held = held(context);
    // SAFETY: sixteen registers, and the index is below.
    let slot = unsafe { held.as_ptr().add(usize::from(register)) };
    // SAFETY: as above.
    let bit = unsafe { slot.read_volatile() };
    if bit < 64 { bit as u32 } else { UNKNOWN }
}

/// The registers, by the numbers that instructions have for them. Each is read by itself: the kernel lets a program
/// read its context at fixed places alone, and a choice among them would become a place that moves.
#[inline(always)]
fn held(context: *mut bpf_perf_event_data) -> [u64; 16] {
    // SAFETY: the context of a perf event program begins with the registers, which it may read.
    let regs = unsafe { &raw const (*context).regs };
    macro_rules! read {
        ($($name:ident),*) => {
            [$({
                // SAFETY: a field of the context.
                let field = unsafe { &raw const (*regs).$name };
                // SAFETY: as above.
                unsafe { field.read_volatile() }
            }),*]
        };
    }
    read!(
        rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
    )
}
