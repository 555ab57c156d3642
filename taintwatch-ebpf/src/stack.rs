//! The kernel stack at the event, resolved at the event: module text is reused after an unload, so
//! a symbol that is looked up later can be another module's.

use aya_ebpf::helpers::generated::{bpf_get_stack, bpf_snprintf};
use core::ffi::c_void;
use taintwatch_common::{STACK_FRAMES, SYMBOL_TEXT_LEN, SYMBOLS_PER_TEXT, Stack};

use crate::target::HAS_SNPRINTF;

/// `%pS` and a newline for each frame of one text.
#[unsafe(no_mangle)]
static SYMBOL_FORMAT: [u8; 4 * SYMBOLS_PER_TEXT + 1] =
    *b"%pS\n%pS\n%pS\n%pS\n%pS\n%pS\n%pS\n%pS\n%pS\n%pS\n%pS\n%pS\n\0";

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
    unsafe { (*into).text_len = [0; 2] };
    if HAS_SNPRINTF.load() == 1 {
        resolve(into, 0);
        if depth > SYMBOLS_PER_TEXT as u32 {
            resolve(into, 1);
        }
    }
}

/// Writes the symbols of the `part`th twelve frames. Each is the address of the next instruction:
/// one less lies in the instruction that called or wrote.
#[inline(always)]
fn resolve(into: *mut Stack, part: usize) {
    let mut addresses = [0_u64; SYMBOLS_PER_TEXT];
    // SAFETY: the caller's record field.
    let frames = unsafe { (&raw const (*into).frames).cast::<u64>() };
    for (index, address) in addresses.iter_mut().enumerate() {
        // SAFETY: `part` is 0 or 1, so the index is below STACK_FRAMES.
        let frame = unsafe { frames.add(part * SYMBOLS_PER_TEXT + index) };
        // SAFETY: as above, and the helper wrote the whole array.
        *address = unsafe { frame.read() }.wrapping_sub(1);
    }
    // SAFETY: the caller's record field.
    let text = unsafe { (&raw mut (*into).text).cast::<[u8; SYMBOL_TEXT_LEN]>() };
    // SAFETY: `part` is 0 or 1.
    let text = unsafe { text.add(part) };
    // SAFETY: the format lies in frozen .rodata and has as many specifiers as there are addresses.
    let length = unsafe {
        bpf_snprintf(
            text.cast(),
            SYMBOL_TEXT_LEN as u32,
            SYMBOL_FORMAT.as_ptr().cast(),
            addresses.as_mut_ptr(),
            size_of::<[u64; SYMBOLS_PER_TEXT]>() as u32,
        )
    };
    if length > 0 {
        // The helper returns the length that it would have needed, NUL included.
        let length = (length as u64).min(SYMBOL_TEXT_LEN as u64) as u16 - 1;
        // SAFETY: the caller's record field.
        let lengths = unsafe { (&raw mut (*into).text_len).cast::<u16>() };
        // SAFETY: `part` is 0 or 1.
        let slot = unsafe { lengths.add(part) };
        // SAFETY: as above.
        unsafe { slot.write(length) };
    }
}
