//! Layer 3: the loader slot. From the entry of `load_module` to its return, a task's slot says
//! which module it is loading; `add_taint` itself is told no module.

use aya_ebpf::helpers::generated::{bpf_ktime_get_boot_ns, bpf_probe_read_user_str};
use aya_ebpf::{
    btf_maps::HashMap,
    macros::{btf_map, fentry, fexit, kprobe, kretprobe, raw_tracepoint},
    programs::{FEntryContext, FExitContext, ProbeContext, RawTracePointContext, RetProbeContext},
};
use taintwatch_common::{
    LoadEnd, Loading, MODULE_NAME_LEN, ModuleComing, ModuleFree, context, stage,
};

use crate::{
    counts, process, record, ring,
    target::{
        LOAD_INFO_MOD, MODULE_INIT_BASE, MODULE_INIT_SIZE, MODULE_NAME, MODULE_SRCVERSION,
        MODULE_TAINTS, MODULE_TEXT_BASE, MODULE_TEXT_SIZE, MODULE_VERSION, PT_REGS_DI, read_text,
        value,
    },
    task::{self, Entered},
};

/// A load in progress.
#[repr(C)]
#[derive(Clone, Copy)]
struct Slot {
    /// The loader's `struct load_info`, on its stack. Its `mod` points into the copy of the file until
    /// `free_copy`, which runs before `trace_module_load`: not to be followed after that. 0 then.
    info: u64,
    /// When the load began, `CLOCK_BOOTTIME`: its name among the counts.
    began: u64,
    /// When the loading process began: a task that dies in a module's init function never leaves
    /// `load_module`, and its id is given to another one day.
    start: u64,
    stage: u32,
    reserved: u32,
    /// The name as last read, for the end of a load, when both structures may be gone.
    name: [u8; MODULE_NAME_LEN],
}

/// What an interrupt, and a task that loads nothing, is in.
pub const NO_LOAD: Loading = Loading {
    stage: stage::NONE,
    reserved: 0,
    name: [0; MODULE_NAME_LEN],
};

/// Loads in progress by task. A task loads one module at a time.
#[btf_map]
static SLOTS: HashMap<u64, Slot, 1024> = HashMap::new();

/// The record field of the load that the current task is in. An interrupt is in none.
#[inline(always)]
pub fn fill(into: *mut Loading, context: u32) {
    // SAFETY: the caller's record field, as in each place below.
    unsafe { into.write(NO_LOAD) };
    if context != context::TASK {
        return;
    }
    let Some(slot) = current() else {
        return;
    };
    // SAFETY: the slot is the current task's own, so nobody frees it meanwhile.
    let load_info = unsafe { (*slot).info };
    if load_info != 0 {
        let module: u64 = value(load_info, LOAD_INFO_MOD.load());
        // SAFETY: as above.
        read_name(module, unsafe { &raw mut (*slot).name });
    }
    // SAFETY: as above.
    let stage = unsafe { (*slot).stage };
    // SAFETY: as above.
    let name = unsafe { (*slot).name };
    let loading = Loading {
        stage,
        reserved: 0,
        name,
    };
    // SAFETY: the caller's record field.
    unsafe { into.write(loading) };
}

/// When the load began whose module is not yet complete; 0 outside one, and once the module's own code runs.
#[inline(always)]
pub fn began_at(context: u32) -> u64 {
    if context != context::TASK {
        return 0;
    }
    let Some(slot) = current() else {
        return 0;
    };
    // SAFETY: the slot is the current task's own.
    if unsafe { (*slot).stage } == stage::UNFORMED {
        // SAFETY: as above.
        unsafe { (*slot).began }
    } else {
        0
    }
}

/// `__x64_sys_delete_module(regs)`: the system call's arguments are the name and the flags.
#[fentry]
fn delete_module(ctx: FEntryContext) -> u32 {
    unload_began(ctx.arg(0));
    0
}

#[kprobe]
fn delete_module_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(regs) = ctx.arg(0) {
        unload_began(regs);
    }
    0
}

#[fexit]
fn delete_module_exit(_ctx: FExitContext) -> u32 {
    _ = SLOTS.remove(task::id());
    0
}

#[kretprobe]
fn delete_module_kretprobe(_ctx: RetProbeContext) -> u32 {
    _ = SLOTS.remove(task::id());
    0
}

#[fentry]
fn load_module(ctx: FEntryContext) -> u32 {
    began(ctx.arg(0));
    0
}

#[kprobe]
fn load_module_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(info) = ctx.arg(0) {
        began(info);
    }
    0
}

/// `load_module(info, uargs, flags)`: the result follows the three arguments.
#[fexit]
fn load_module_exit(ctx: FExitContext) -> u32 {
    ended(i64::from(ctx.arg::<i32>(3)));
    0
}

#[kretprobe]
fn load_module_kretprobe(ctx: RetProbeContext) -> u32 {
    ended(i64::from(ctx.ret::<i32>()));
    0
}

/// `trace_module_load(mod)`: the module is complete, its own structure is in place.
#[raw_tracepoint]
fn module_load(ctx: RawTracePointContext) -> i32 {
    let module: u64 = ctx.arg(0);
    if let Some(slot) = current() {
        // SAFETY: the slot is the current task's own.
        unsafe { (*slot).info = 0 };
        // SAFETY: as above.
        unsafe { (*slot).stage = stage::COMING };
        // SAFETY: as above.
        read_name(module, unsafe { &raw mut (*slot).name });
    }
    let Some(live) = ring::reserve::<ModuleComing>() else {
        return 0;
    };
    // SAFETY: `live` is fresh room for a whole record, as in each place below.
    unsafe { (*live).header = record::header::<ModuleComing>(task::context(Entered::ByCall)) };
    // SAFETY: as above.
    task::fill(unsafe { &raw mut (*live).task });
    // SAFETY: as above.
    read_name(module, unsafe { &raw mut (*live).name });
    // SAFETY: as above.
    read_text(value(module, MODULE_VERSION.load()), unsafe {
        &raw mut (*live).version
    });
    // SAFETY: as above.
    read_text(value(module, MODULE_SRCVERSION.load()), unsafe {
        &raw mut (*live).srcversion
    });
    // SAFETY: as above.
    unsafe { (*live).taints = value(module, MODULE_TAINTS.load()) };
    let text = range(module, MODULE_TEXT_BASE.load(), MODULE_TEXT_SIZE.load());
    // SAFETY: as above.
    unsafe { (*live).text = text };
    let init_text = range(module, MODULE_INIT_BASE.load(), MODULE_INIT_SIZE.load());
    // SAFETY: as above.
    unsafe { (*live).init_text = init_text };
    ring::submit(live);
    0
}

/// `trace_module_free(mod)`: an unload, or the end of a load whose init function failed.
#[raw_tracepoint]
fn module_free(ctx: RawTracePointContext) -> i32 {
    let module: u64 = ctx.arg(0);
    process::emit_once(context::TASK);
    counts::next_epoch();
    let in_load = u32::from(is_loading());
    let Some(free) = ring::reserve::<ModuleFree>() else {
        return 0;
    };
    // SAFETY: `free` is fresh room for a whole record, as in each place below.
    unsafe { (*free).header = record::header::<ModuleFree>(task::context(Entered::ByCall)) };
    // SAFETY: as above.
    task::fill(unsafe { &raw mut (*free).task });
    // SAFETY: as above.
    read_name(module, unsafe { &raw mut (*free).name });
    // SAFETY: as above.
    unsafe { (*free).taints = value(module, MODULE_TAINTS.load()) };
    // SAFETY: as above.
    unsafe { (*free).in_load = in_load };
    // SAFETY: as above.
    unsafe { (*free).reserved = 0 };
    ring::submit(free);
    0
}

#[inline(always)]
fn began(info: u64) {
    let slot = Slot {
        info,
        // SAFETY: no arguments.
        began: unsafe { bpf_ktime_get_boot_ns() },
        start: task::start(),
        stage: stage::UNFORMED,
        reserved: 0,
        name: [0; MODULE_NAME_LEN],
    };
    // A full map costs this load its name: more than a thousand loads at once is not a machine's life.
    _ = SLOTS.insert(task::id(), slot, 0);
}

#[inline(always)]
fn unload_began(regs: u64) {
    let mut slot = Slot {
        info: 0,
        // SAFETY: no arguments.
        began: unsafe { bpf_ktime_get_boot_ns() },
        start: task::start(),
        stage: stage::UNLOADING,
        reserved: 0,
        name: [0; MODULE_NAME_LEN],
    };
    let name: u64 = value(regs, PT_REGS_DI.load());
    // SAFETY: the helper checks the address, and writes so many bytes at most. The kernel copies the name a second
    // time: another thread of the process may have changed it by then.
    unsafe {
        bpf_probe_read_user_str(
            slot.name.as_mut_ptr().cast(),
            MODULE_NAME_LEN as u32,
            name as *const _,
        )
    };
    _ = SLOTS.insert(task::id(), slot, 0);
}

#[inline(always)]
fn ended(result: i64) {
    process::emit_once(context::TASK);
    if let Some(end) = ring::reserve::<LoadEnd>() {
        // SAFETY: `end` is fresh room for a whole record, as in each place below.
        unsafe { (*end).header = record::header::<LoadEnd>(task::context(Entered::ByCall)) };
        // SAFETY: as above.
        task::fill(unsafe { &raw mut (*end).task });
        // The copy of the file is freed by now: only the name that was read before is safe.
        if let Some(slot) = current() {
            // SAFETY: the slot is the current task's own.
            unsafe { (*slot).info = 0 };
        }
        // SAFETY: as above.
        fill(unsafe { &raw mut (*end).loading }, context::TASK);
        // SAFETY: as above.
        unsafe { (*end).result = result };
        ring::submit(end);
    }
    _ = SLOTS.remove(task::id());
}

/// Whether the current task is in a load: an unload has a slot as well.
#[inline(always)]
fn is_loading() -> bool {
    // SAFETY: the slot is the current task's own.
    current().is_some_and(|slot| unsafe { (*slot).stage } != stage::UNLOADING)
}

/// The slot of the current task, when the current task is the one that made it.
#[inline(always)]
fn current() -> Option<*mut Slot> {
    let slot = SLOTS.get_ptr_mut(task::id())?;
    // SAFETY: only the current task removes its own slot.
    let start = unsafe { (*slot).start };
    (start == task::start()).then_some(slot)
}

/// First address and size of a part of a module.
#[inline(always)]
fn range(module: u64, base: u64, size: u64) -> [u64; 2] {
    let size: u32 = value(module, size);
    [value(module, base), u64::from(size)]
}

#[inline(always)]
fn read_name(module: u64, into: *mut [u8; MODULE_NAME_LEN]) {
    let name = if module == 0 {
        0
    } else {
        module.wrapping_add(MODULE_NAME.load())
    };
    read_text(name, into);
}
