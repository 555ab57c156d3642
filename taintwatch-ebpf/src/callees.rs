//! Functions that left no frame: where the code that is taken for the caller did not call `add_taint` itself, another function
//! ran in between, and ended in a jump.
//!
//! In: the caller's link; for a call through a pointer, the registers that functions preserve, which hold what the caller
//! works on: a work item, a timer, a tasklet. Out: a record with every address of code found there, its symbol and its
//! code: userspace takes one only if it is a function that jumps to `add_taint`.

use aya_ebpf::{
    bindings::pt_regs, btf_maps::PerCpuArray, helpers::generated::bpf_probe_read_kernel,
    macros::btf_map,
};
use taintwatch_common::{CALLEES, CODE_LEN, Callees, Caller, link};

use crate::{
    caller::inside,
    record, registers, ring, stack,
    target::{KERNEL_END, KERNEL_START, MODULES_END, MODULES_START, value},
};

/// `rbx`, `rbp`, `r12` to `r15`, and what the interrupted function has pushed of them.
const REGISTERS: usize = 6;
const PUSHED: usize = 4;
/// Words read where each points to: function pointers stand at 0x18 in a work item, a timer and a tasklet, at 0x10 in a call
/// for another CPU, at 0x28 in a high-resolution timer, at 0 in a notifier.
const WORDS: usize = 6;

/// Compilers align functions on x86 so.
const FUNCTION_ALIGNMENT: u64 = 16;

/// What was found, of a program that nothing else on its CPU interrupts: the kernel runs no two programs on kprobes and events
/// at once there (`bpf_prog_active`).
#[repr(C)]
#[derive(Clone, Copy)]
struct Scratch {
    from: [u64; REGISTERS + PUSHED],
    words: [u64; WORDS],
    found: [u64; SLOTS],
    count: u64,
    /// Of all that were found: the same functions have the same.
    sum: u64,
}

/// More than are sent; a power of two.
const SLOTS: usize = 16;

#[btf_map]
static SCRATCH: PerCpuArray<Scratch, 1> = PerCpuArray::new();

/// Searches the registers, and the words of the stack from `pushed` up to the return address `until`: what the interrupted
/// function has saved of them. What lies above belongs to the caller. Gives what distinguishes the functions found.
#[inline(always)]
pub fn search(regs: *const pt_regs, pushed: u64, until: u64) -> u64 {
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: a map's value, which lives as long as the map.
    let from = unsafe { (&raw mut (*scratch).from).cast::<u64>() };
    let put = |index: usize, value: u64| {
        // SAFETY: the index is within the array.
        let slot = unsafe { from.add(index) };
        // SAFETY: a map's value.
        unsafe { slot.write_volatile(value) };
    };
    registers::each!(regs, put, 0 rbx, 1 rbp, 2 r12, 3 r13, 4 r14, 5 r15);
    callees_search(pushed, until)
}

/// Sends what was found last; gives the time that names the record, or 0.
#[inline(always)]
pub fn send_found() -> u64 {
    callees_send(0)
}

/// Sends the function that the caller called directly, if there is one; gives the time that names the record, or 0.
#[inline(always)]
pub fn send_called(caller: &Caller) -> u64 {
    if caller.link != link::JUMPED && caller.link != link::UNCHECKED || caller.target == 0 {
        return 0;
    }
    callees_send(caller.target)
}

/// Global and of numbers alone, as is the next: the verifier follows them once, and not on each way that leads to them.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn callees_search(pushed: u64, until: u64) -> u64 {
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: a map's value, which lives as long as the map; so for each place below.
    let from = unsafe { (&raw mut (*scratch).from).cast::<u64>() };
    let mut is_saved = u64::MAX;
    for index in 0..PUSHED {
        let word: u64 = value(pushed, index as u64 * 8);
        // All ones until the return address was met, then zero; without a branch.
        let other = word ^ until;
        is_saved &= ((other | other.wrapping_neg()) as i64 >> 63) as u64;
        // SAFETY: as above.
        let slot = unsafe { from.add(REGISTERS + index) };
        // SAFETY: as above.
        unsafe { slot.write_volatile(word & is_saved) };
    }
    // SAFETY: as above.
    unsafe { (*scratch).count = 0 };
    // SAFETY: as above.
    unsafe { (*scratch).sum = 0 };
    for index in 0..REGISTERS + PUSHED {
        // SAFETY: as above.
        let slot = unsafe { from.add(index) };
        // SAFETY: as above.
        let base = unsafe { slot.read_volatile() };
        consider(scratch, base);
        // SAFETY: as above.
        let words = unsafe { (&raw mut (*scratch).words).cast::<u64>() };
        let len = size_of::<[u64; WORDS]>() as u32;
        // SAFETY: the helper checks the address, writes so many bytes, and zeroes what it cannot read.
        unsafe { bpf_probe_read_kernel(words.cast(), len, base as *const _) };
        for word in 0..WORDS {
            // SAFETY: the index is within the array.
            let slot = unsafe { words.add(word) };
            // SAFETY: as above.
            consider(scratch, unsafe { slot.read_volatile() });
        }
    }
    // SAFETY: as above.
    unsafe { (*scratch).sum }
}

/// Takes a value that may be a function's first address: they are aligned. Without a branch.
#[inline(always)]
fn consider(scratch: *mut Scratch, value: u64) {
    let in_code =
        inside(value, &KERNEL_START, &KERNEL_END) | inside(value, &MODULES_START, &MODULES_END);
    let aligned = u64::from(value.is_multiple_of(FUNCTION_ALIGNMENT));
    let taken = in_code & aligned;
    // SAFETY: a map's value; so for each place below.
    let count = unsafe { (*scratch).count };
    // SAFETY: as above.
    let found = unsafe { (&raw mut (*scratch).found).cast::<u64>() };
    // SAFETY: the index is within the array.
    let slot = unsafe { found.add(count as usize & (SLOTS - 1)) };
    // SAFETY: as above.
    unsafe { slot.write_volatile(value) };
    // SAFETY: as above.
    let sum = unsafe { (*scratch).sum };
    // SAFETY: as above.
    unsafe { (*scratch).sum = sum.wrapping_add(value & taken.wrapping_neg()) };
    // SAFETY: as above.
    unsafe { (*scratch).count = count + taken };
}

/// Sends the function at `called`, or for 0 what was found last.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn callees_send(called: u64) -> u64 {
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: a map's value.
    let found = unsafe { (*scratch).count };
    let count = if called == 0 { found } else { 1 };
    if count == 0 {
        return 0;
    }
    let Some(callees) = ring::reserve::<Callees>() else {
        return 0;
    };
    record::fill!(callees as Callees {
        header: record::header::<Callees>(0),
        found: count as u32,
        reserved: 0,
        addresses => |into| addresses(scratch, called, count, into),
        text => |into| each(callees, into, stack::symbol),
        code => |into| each(callees, into, read_code),
    });
    // SAFETY: the record that was written.
    let at_ns = unsafe { (*callees).header.boottime_ns };
    ring::submit(callees);
    at_ns
}

/// Zeros behind the last one; without a branch.
#[inline(always)]
fn addresses(scratch: *const Scratch, called: u64, count: u64, into: *mut [u64; CALLEES]) {
    // SAFETY: a map's value.
    let found = unsafe { (&raw const (*scratch).found).cast::<u64>() };
    let from_found = u64::from(called == 0).wrapping_neg();
    for index in 0..CALLEES {
        // SAFETY: the index is within the array.
        let slot = unsafe { found.add(index) };
        // SAFETY: as above.
        let one = unsafe { slot.read_volatile() };
        let is_one = ((index as u64).wrapping_sub(count) as i64 >> 63) as u64;
        let one = one & from_found | called & !from_found;
        // SAFETY: the index is within the array.
        let into = unsafe { into.cast::<u64>().add(index) };
        // SAFETY: the record's field.
        unsafe { into.write(one & is_one) };
    }
}

/// Writes what belongs to each address, when the addresses are in the record.
#[inline(always)]
fn each<T>(callees: *const Callees, into: *mut [T; CALLEES], write: impl Fn(u64, *mut T)) {
    // SAFETY: a field of the record.
    let addresses = unsafe { (&raw const (*callees).addresses).cast::<u64>() };
    for index in 0..CALLEES {
        // SAFETY: the index is within the array.
        let slot = unsafe { addresses.add(index) };
        // SAFETY: `fill!` writes the addresses first.
        let address = unsafe { slot.read() };
        // SAFETY: the index is within the array.
        write(address, unsafe { into.cast::<T>().add(index) });
    }
}

/// The helper zeroes what it cannot read.
#[inline(always)]
fn read_code(address: u64, into: *mut [u8; CODE_LEN]) {
    // SAFETY: the helper checks the address, and writes so many bytes.
    unsafe {
        bpf_probe_read_kernel(into.cast(), CODE_LEN as u32, address as *const _);
    };
}
