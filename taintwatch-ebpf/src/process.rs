//! The process of the current task, recorded at the event: one that lives for a millisecond is gone when `/proc` is
//! read. Recorded once for each program that a process runs.

use aya_ebpf::{
    btf_maps::LruHashMap,
    helpers::generated::{bpf_get_current_cgroup_id, bpf_probe_read_kernel, bpf_probe_read_user},
    macros::btf_map,
};
use taintwatch_common::{ANCESTORS, ARGS_LEN, Ancestor, COMM_LEN, Process, context};

use crate::{
    path, record, ring,
    target::{
        ABSENT, MM_STRUCT_ARG_END, MM_STRUCT_ARG_START, MM_STRUCT_EXE_FILE, TASK_COMM,
        TASK_LOGINUID, TASK_MM, TASK_REAL_PARENT, TASK_TGID, value,
    },
    task,
};

/// A program that a process runs.
#[repr(C)]
#[derive(Clone, Copy)]
struct Program {
    tgid: u64,
    start: u64,
    exec_id: u64,
}

/// Programs whose record was sent. One that the map drops is sent again.
#[btf_map]
static EMITTED: LruHashMap<Program, u64, 4096> = LruHashMap::new();

/// Sends the record of the current task's process, once for each program that it runs. Not in an interrupt: there the
/// current task is only the one that was interrupted.
#[inline(always)]
pub fn emit_once(in_context: u32) {
    if in_context == context::TASK || in_context == context::UNKNOWN {
        process_emit();
    }
}

/// Global: the verifier follows it once, and not on each way that leads to it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn process_emit() -> u32 {
    let task = task::current();
    let mm: u64 = value(task, TASK_MM.load());
    let program = Program {
        tgid: task::id() >> 32,
        start: task::start(),
        exec_id: task::exec_id(),
    };
    if EMITTED.get_ptr(program).is_some() {
        return 0;
    }
    let Some(process) = ring::reserve_detail::<Process>() else {
        return 0;
    };
    _ = EMITTED.insert(program, 1, 0);
    let mut args_len = 0;
    record::fill!(process as Process {
        header: record::header::<Process>(context::TASK),
        task => task::fill,
        // SAFETY: no arguments.
        cgroup_id: unsafe { bpf_get_current_cgroup_id() },
        auid: if TASK_LOGINUID.load() == ABSENT {
            u32::MAX
        } else {
            value(task, TASK_LOGINUID.load())
        },
        ancestors => |into| ancestors(task, into),
        exe => |into| path::fill(value(mm, MM_STRUCT_EXE_FILE.load()), into),
        args => |into| args_len = arguments(mm, into),
        args_len: args_len,
    });
    ring::submit(process);
    1
}

#[inline(always)]
fn ancestors(task: u64, into: *mut [Ancestor; ANCESTORS]) {
    let mut ancestor = task;
    for index in 0..ANCESTORS {
        let parent: u64 = value(ancestor, TASK_REAL_PARENT.load());
        let tgid: u32 = value(parent, TASK_TGID.load());
        // The idle task is the last ancestor of every task, and its own parent.
        let is_one = parent != ancestor && tgid != 0;
        // SAFETY: the index is within the array.
        let slot = unsafe { into.cast::<Ancestor>().add(index) };
        let value = Ancestor {
            tgid: if is_one { tgid } else { 0 },
            reserved: 0,
            comm: [0; COMM_LEN],
        };
        // SAFETY: the slot of the caller's record field.
        unsafe { slot.write(value) };
        if is_one && TASK_COMM.load() != ABSENT {
            // SAFETY: as above.
            let comm = unsafe { &raw mut (*slot).comm };
            let from = parent.wrapping_add(TASK_COMM.load());
            // SAFETY: the helper checks the address, and writes so many bytes.
            unsafe { bpf_probe_read_kernel(comm.cast(), COMM_LEN as u32, from as *const _) };
        }
        ancestor = parent;
    }
}

/// Writes the arguments and gives their length. The process can change them: they lie in its own memory.
#[inline(always)]
fn arguments(mm: u64, into: *mut [u8; ARGS_LEN]) -> u32 {
    let start: u64 = value(mm, MM_STRUCT_ARG_START.load());
    let end: u64 = value(mm, MM_STRUCT_ARG_END.load());
    let len = end.wrapping_sub(start).min(ARGS_LEN as u64) as u32;
    // SAFETY: the caller's record field is valid for writes.
    unsafe { into.write_bytes(0, 1) };
    if start == 0 || len == 0 {
        return 0;
    }
    // SAFETY: the helper checks the address, and writes so many bytes.
    let failed = unsafe { bpf_probe_read_user(into.cast(), len, start as *const _) };
    if failed == 0 { len } else { 0 }
}
