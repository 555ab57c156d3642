//! The loader slot: which module each task is loading or unloading. `add_taint` itself gets no module.
//!
//! The hooks in `module_load` and `module_unload` keep the slots; records and counts read the current task's.

use aya_ebpf::{
    btf_maps::{HashMap, LruHashMap},
    helpers::generated::{bpf_ktime_get_boot_ns, bpf_probe_read_kernel, bpf_probe_read_user_str},
    macros::btf_map,
};
use taintwatch_common::{Loading, MODULE_NAME_LEN, UNLOAD_STACK_LEN, UnloadStack, context, stage};

use crate::{
    record, ring,
    target::{LOAD_INFO_MOD, MODULE_NAME, read_text, value},
    task,
};

/// A load or an unload in progress.
#[repr(C)]
#[derive(Clone, Copy)]
struct Slot {
    /// The loader's `struct load_info`, on its stack; 0 when it must not be followed. Its `mod` points into the copy
    /// of the file, which `free_copy` frees before `trace_module_load`.
    info: u64,
    /// `CLOCK_BOOTTIME` at its start, which identifies this load among the counts.
    began: u64,
    /// When the loading process started: a task that dies in a module's init function never leaves
    /// `load_module`, and its id is used again.
    start: u64,
    /// When its file was read, as the record of that says; 0 when no hook saw it.
    file_ns: u64,
    stage: u32,
    reserved: u32,
    /// The name as last read, for the end of a load, when both structures may be gone.
    name: [u8; MODULE_NAME_LEN],
}

/// By task: each loads or unloads one module at a time.
#[btf_map]
static SLOTS: HashMap<u64, Slot, 1024> = HashMap::new();

/// Reads of modules whose load has not begun, by task: the time that is in the record of each. Not every read leads to a load.
#[btf_map]
static READS: LruHashMap<u64, u64, 1024> = LruHashMap::new();

/// Writes the load that the current task is in to a record field or a map's value. An interrupt is in none.
#[inline(always)]
pub fn fill(into: *mut Loading, context: u32) {
    // SAFETY: the caller's field is valid for writes.
    unsafe { into.write(Loading::NONE) };
    if context != context::TASK {
        return;
    }
    let Some(slot) = current() else {
        return;
    };
    // SAFETY: the slot is the current task's own, so no other task frees it meanwhile.
    let load_info = unsafe { (*slot).info };
    if load_info != 0 {
        let module: u64 = value(load_info, LOAD_INFO_MOD.load());
        // SAFETY: as above.
        read_name(module, unsafe { &raw mut (*slot).name });
    }
    // In place: a copy on the way would take half of the stack that a program has.
    // SAFETY: the current task's own slot; so for each line below.
    let stage = unsafe { (*slot).stage };
    // SAFETY: as above.
    let file_ns = unsafe { (*slot).file_ns };
    // SAFETY: as above.
    let from = unsafe { &raw const (*slot).name };
    // SAFETY: the caller's field; so for each line below.
    unsafe { (*into).stage = stage };
    // SAFETY: as above.
    unsafe { (*into).file_ns = file_ns };
    // SAFETY: as above.
    let name = unsafe { &raw mut (*into).name };
    // SAFETY: as above; a slot and a record do not overlap.
    unsafe { name.copy_from_nonoverlapping(from, 1) };
}

/// When the load or unload began that the current task is in; 0 outside one. It distinguishes init code of two modules that had
/// the same place one after the other.
#[inline(always)]
pub fn began_at(context: u32) -> u64 {
    if context != context::TASK {
        return 0;
    }
    let Some(slot) = current() else {
        return 0;
    };
    // SAFETY: the slot is the current task's own.
    unsafe { (*slot).began }
}

/// The current task reads a module at this time; the load that it begins next is that module's.
#[inline(always)]
pub fn file_read(at_ns: u64) {
    _ = READS.insert(task::id(), at_ns, 0);
}

/// `load_module` was entered with `info`.
#[inline(always)]
pub fn load_began(info: u64) {
    let mut slot = new(stage::UNFORMED);
    slot.info = info;
    let id = task::id();
    if let Some(at_ns) = READS.get_ptr(id) {
        // SAFETY: a map's value, which only the current task writes.
        slot.file_ns = unsafe { at_ns.read() };
        _ = READS.remove(id);
    }
    insert(slot);
}

/// `delete_module` was entered with a name, at an address of the process.
#[inline(always)]
pub fn unload_began(name: u64) {
    let mut slot = new(stage::UNLOADING);
    // SAFETY: the helper checks the address, and writes so many bytes at most. The kernel copies the name a second
    // time: another thread of the process may have changed it by then.
    unsafe {
        bpf_probe_read_user_str(
            slot.name.as_mut_ptr().cast(),
            MODULE_NAME_LEN as u32,
            name as *const _,
        )
    };
    insert(slot);
}

/// The module has its own `struct module`, and its init function runs next.
#[inline(always)]
pub fn coming(module: u64) {
    if let Some(slot) = current() {
        // SAFETY: the slot is the current task's own.
        unsafe { (*slot).info = 0 };
        // SAFETY: as above.
        unsafe { (*slot).stage = stage::COMING };
        // SAFETY: as above.
        read_name(module, unsafe { &raw mut (*slot).name });
    }
}

/// The copy of the file is freed: only the name that was read before is safe.
#[inline(always)]
pub fn copy_freed() {
    if let Some(slot) = current() {
        // SAFETY: the slot is the current task's own.
        unsafe { (*slot).info = 0 };
    }
}

/// The load or unload is over.
#[inline(always)]
pub fn ended() {
    _ = SLOTS.remove(task::id());
}

/// When the file of the current task's load was read; 0 when that is not known.
#[inline(always)]
pub fn file_ns() -> u64 {
    // SAFETY: the slot is the current task's own.
    current().map_or(0, |slot| unsafe { (*slot).file_ns })
}

/// Sends the kernel stack of a task that unloads a module, from the address `from` upwards.
#[inline(always)]
pub fn send_unload_stack(context: u32, from: u64) {
    if context == context::TASK {
        send_stack(from);
    }
}

/// Not global: the address can be that of a program's context, which is no number to the verifier.
#[inline(never)]
fn send_stack(from: u64) -> u32 {
    // SAFETY: the slot is the current task's own.
    if current().is_none_or(|slot| unsafe { (*slot).stage } != stage::UNLOADING) {
        return 0;
    }
    let Some(stack) = ring::reserve::<UnloadStack>() else {
        return 0;
    };
    record::fill!(stack as UnloadStack {
        header: record::header::<UnloadStack>(context::TASK),
        task => task::fill,
        bytes => |into| read_stack(from, into),
    });
    ring::submit(stack);
    1
}

/// Piece by piece: the stack may end within, where nothing is mapped, and the helper then zeroes a piece that it cannot read.
#[inline(always)]
fn read_stack(from: u64, into: *mut [u8; UNLOAD_STACK_LEN]) {
    const PIECE: usize = 64;
    for at in (0..UNLOAD_STACK_LEN).step_by(PIECE) {
        // SAFETY: the place is within the array.
        let piece = unsafe { into.cast::<u8>().add(at) };
        let from = from.wrapping_add(at as u64);
        // SAFETY: the helper checks the address, and writes so many bytes.
        unsafe { bpf_probe_read_kernel(piece.cast(), PIECE as u32, from as *const _) };
    }
}

/// Whether the current task is in a load: an unload has a slot as well.
#[inline(always)]
pub fn is_loading() -> bool {
    // SAFETY: the slot is the current task's own.
    current().is_some_and(|slot| unsafe { (*slot).stage } != stage::UNLOADING)
}

/// The name in a `struct module`; empty for a null pointer.
#[inline(always)]
pub fn read_name(module: u64, into: *mut [u8; MODULE_NAME_LEN]) {
    let name = if module == 0 {
        0
    } else {
        module.wrapping_add(MODULE_NAME.load())
    };
    read_text(name, into);
}

#[inline(always)]
fn new(stage: u32) -> Slot {
    Slot {
        info: 0,
        // SAFETY: no arguments.
        began: unsafe { bpf_ktime_get_boot_ns() },
        start: task::start(),
        file_ns: 0,
        stage,
        reserved: 0,
        name: [0; MODULE_NAME_LEN],
    }
}

/// A full map costs this load its name: no machine has more than a thousand loads at once.
#[inline(always)]
fn insert(slot: Slot) {
    _ = SLOTS.insert(task::id(), slot, 0);
}

/// The slot of the current task, unless an earlier task with its id left it.
#[inline(always)]
fn current() -> Option<*mut Slot> {
    let slot = SLOTS.get_ptr_mut(task::id())?;
    // SAFETY: only the current task removes its own slot.
    let start = unsafe { (*slot).start };
    (start == task::start()).then_some(slot)
}
