//! Functions that left no frame: where the code that is taken for the caller did not call `add_taint` itself, another function
//! ran in between, and ended in a jump.
//!
//! In: the caller's link; for a call through a pointer, the registers that functions preserve, which hold what the caller
//! works on: a work item, a timer, a tasklet. Out: a record with every address of code found there, its symbol and its
//! code: userspace takes one only if it is a function that jumps to `add_taint`.

use aya_ebpf::{bindings::pt_regs, btf_maps::PerCpuArray, macros::btf_map};
use taintwatch_common::{CALLEES, CODE_LEN, Callees, Caller, link};

use crate::{
    caller::inside,
    record, ring, stack,
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
    found: [u64; 16],
}

#[btf_map]
static SCRATCH: PerCpuArray<Scratch, 1> = PerCpuArray::new();

/// Addresses of code that the registers lead to.
pub struct Found {
    /// The addresses' sum: the same functions have the same.
    pub sum: u64,
    count: u32,
    addresses: *const u64,
}

/// Searches the registers, and the words of the stack from `pushed` up to the return address `until`: what the interrupted
/// function has saved of them. What lies above belongs to the caller.
#[inline(always)]
pub fn search(regs: *const pt_regs, pushed: u64, until: u64) -> Option<Found> {
    let scratch = SCRATCH.get_ptr_mut(0)?;
    // SAFETY: a map's value, which lives as long as the map; so for each place below.
    let from = unsafe { (&raw mut (*scratch).from).cast::<u64>() };
    macro_rules! registers {
        ($($index:literal $name:ident),*) => {
            $({
                // SAFETY: a field of the context.
                let field = unsafe { &raw const (*regs).$name };
                // SAFETY: as above.
                let value = unsafe { field.read_volatile() };
                // SAFETY: the index is within the array.
                let slot = unsafe { from.add($index) };
                // SAFETY: a map's value.
                unsafe { slot.write(value) };
            })*
        };
    }
    registers!(0 rbx, 1 rbp, 2 r12, 3 r13, 4 r14, 5 r15);
    let mut is_saved = u64::MAX;
    for index in 0..PUSHED {
        let word: u64 = value(pushed, index as u64 * 8);
        // All ones until the return address was met, then zero; without a branch.
        let other = word ^ until;
        is_saved &= ((other | other.wrapping_neg()) as i64 >> 63) as u64;
        // SAFETY: as above.
        let slot = unsafe { from.add(REGISTERS + index) };
        // SAFETY: as above.
        unsafe { slot.write(word & is_saved) };
    }
    let mut found = Found {
        sum: 0,
        count: 0,
        // SAFETY: as above.
        addresses: unsafe { (&raw const (*scratch).found).cast() },
    };
    for index in 0..REGISTERS + PUSHED {
        // SAFETY: as above.
        let slot = unsafe { from.add(index) };
        // SAFETY: as above.
        let base = unsafe { slot.read_volatile() };
        found.consider(scratch, base);
        let words: [u64; WORDS] = value(base, 0);
        // SAFETY: as above.
        unsafe { (*scratch).words = words };
        for word in 0..WORDS {
            // SAFETY: as above.
            let words = unsafe { (&raw const (*scratch).words).cast::<u64>() };
            // SAFETY: the index is within the array.
            let slot = unsafe { words.add(word) };
            // SAFETY: as above.
            found.consider(scratch, unsafe { slot.read_volatile() });
        }
    }
    Some(found)
}

impl Found {
    /// Takes a value that may be a function's first address: they are aligned to 16. Without a branch.
    #[inline(always)]
    fn consider(&mut self, scratch: *mut Scratch, value: u64) {
        let in_code =
            inside(value, &KERNEL_START, &KERNEL_END) | inside(value, &MODULES_START, &MODULES_END);
        let aligned = u64::from(value.is_multiple_of(FUNCTION_ALIGNMENT));
        let taken = in_code & aligned;
        // SAFETY: a map's value.
        let found = unsafe { (&raw mut (*scratch).found).cast::<u64>() };
        // SAFETY: the index is within the array.
        let slot = unsafe { found.add((self.count & 15) as usize) };
        // SAFETY: as above.
        unsafe { slot.write_volatile(value) };
        self.sum = self.sum.wrapping_add(value & taken.wrapping_neg());
        self.count += taken as u32;
    }

    /// Sends what was found; gives the time that names the record, or 0.
    #[inline(always)]
    pub fn send(&self) -> u64 {
        send(self.count, |index| {
            // SAFETY: the index is below the length of the array.
            let slot = unsafe { self.addresses.add(index) };
            // SAFETY: a map's value.
            unsafe { slot.read_volatile() }
        })
    }
}

/// Sends the function that the caller called directly, if there is one; gives the time that names the record, or 0.
#[inline(always)]
pub fn send_called(caller: &Caller) -> u64 {
    if caller.link != link::JUMPED && caller.link != link::UNCHECKED || caller.target == 0 {
        return 0;
    }
    let target = caller.target;
    send(1, |index| if index == 0 { target } else { 0 })
}

#[inline(always)]
fn send(count: u32, address: impl Fn(usize) -> u64) -> u64 {
    if count == 0 {
        return 0;
    }
    let Some(callees) = ring::reserve::<Callees>() else {
        return 0;
    };
    let at = |index: usize| {
        if (index as u32) < count {
            address(index)
        } else {
            0
        }
    };
    record::fill!(callees as Callees {
        header: record::header::<Callees>(0),
        found: count,
        reserved: 0,
        addresses => |into| each(into, |index, slot: *mut u64| {
            // SAFETY: a slot of the record's field.
            unsafe { slot.write(at(index)) };
        }),
        text => |into| each(into, |index, text| stack::symbol(at(index), text)),
        code => |into| each(into, |index, code| read_code(at(index), code)),
    });
    // SAFETY: as above.
    let at_ns = unsafe { (*callees).header.boottime_ns };
    ring::submit(callees);
    at_ns
}

/// Calls `write` for each slot of a field.
#[inline(always)]
fn each<T>(into: *mut [T; CALLEES], write: impl Fn(usize, *mut T)) {
    for index in 0..CALLEES {
        // SAFETY: the index is within the array.
        write(index, unsafe { into.cast::<T>().add(index) });
    }
}

/// The helper zeroes what it cannot read.
#[inline(always)]
fn read_code(address: u64, into: *mut [u8; CODE_LEN]) {
    // SAFETY: the helper checks the address, and writes so many bytes.
    unsafe {
        aya_ebpf::helpers::generated::bpf_probe_read_kernel(
            into.cast(),
            CODE_LEN as u32,
            address as *const _,
        )
    };
}
