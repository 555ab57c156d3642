//! The kernel stack at the event, resolved at the event: module text is reused after an unload, so
//! a symbol that is looked up later can be another module's.

use aya_ebpf::helpers::generated::{bpf_get_stack, bpf_snprintf};
use core::ffi::c_void;
use taintwatch_common::{STACK_FRAMES, SYMBOL_LEN, Stack};

use crate::target::HAS_SNPRINTF;

/// `%pS` of one address.
#[unsafe(no_mangle)]
static SYMBOL_FORMAT: [u8; 4] = *b"%pS\0";

/// Fills in the stack of the program's context `ctx`.
#[inline(always)]
pub fn fill(ctx: *mut c_void, into: *mut Stack) {
    // SAFETY: the caller's record field is valid for writes; so for each `into` below.
    let frames = unsafe { &raw mut (*into).frames };
    // SAFETY: the helper writes the whole array: frames, then zeros.
    let bytes = unsafe {
        bpf_get_stack(
            ctx,
            frames.cast(),
            size_of::<[u64; STACK_FRAMES]>() as u32,
            0,
        )
    };
    let depth = if bytes > 0 { bytes as u32 / 8 } else { 0 };
    // SAFETY: the caller's record field.
    unsafe { (*into).depth = depth };
    // SAFETY: the caller's record field.
    unsafe { (*into).reserved = 0 };
    for index in 0..STACK_FRAMES {
        // SAFETY: the index is within the array.
        let frame = unsafe { frames.cast::<u64>().add(index) };
        // SAFETY: the helper wrote the whole array.
        let address = unsafe { frame.read() };
        // SAFETY: the caller's record field.
        let texts = unsafe { (&raw mut (*into).text).cast::<[u8; SYMBOL_LEN]>() };
        // SAFETY: the index is within the array.
        let text = unsafe { texts.add(index) };
        symbol(address.wrapping_sub(1), text);
    }
}

/// Writes `symbol+0xoffset/0xsize [module]` of an address; its number for one where no symbol is. A frame's is that of the next
/// instruction: one less lies in the instruction that called or wrote.
#[inline(always)]
pub fn symbol(mut address: u64, into: *mut [u8; SYMBOL_LEN]) {
    // SAFETY: the caller's field is valid for writes.
    unsafe { into.cast::<u8>().write(0) };
    if HAS_SNPRINTF.load() != 1 {
        return;
    }
    // SAFETY: the format lies in frozen .rodata and has one specifier, and there is one address.
    unsafe {
        bpf_snprintf(
            into.cast(),
            SYMBOL_LEN as u32,
            SYMBOL_FORMAT.as_ptr().cast(),
            &raw mut address,
            8,
        )
    };
}
