//! Who a task is, told when something happens: a process that lives for a millisecond is gone when
//! `/proc` is asked. Told once for each program that a process runs.

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
    mm: u64,
}

/// What has been told. One that falls out is told again.
#[btf_map]
static REPORTED: LruHashMap<Program, u64, 4096> = LruHashMap::new();

/// Tells of the current task, unless it is only the one that was interrupted, or told of already.
#[inline(always)]
pub fn emit_once(in_context: u32) {
    if in_context == context::TASK || in_context == context::UNKNOWN {
        tell_current();
    }
}

#[inline(never)]
fn tell_current() {
    let task = task::current();
    let mm: u64 = value(task, TASK_MM.load());
    let program = Program {
        tgid: task::id() >> 32,
        start: task::start(),
        mm,
    };
    if REPORTED.get_ptr(program).is_some() {
        return;
    }
    let Some(process) = ring::reserve::<Process>() else {
        return;
    };
    _ = REPORTED.insert(program, 1, 0);
    // SAFETY: `process` is fresh room for a whole record, as in each place below.
    unsafe { (*process).header = record::header::<Process>(context::TASK) };
    // SAFETY: as above.
    task::fill(unsafe { &raw mut (*process).task });
    // SAFETY: no arguments.
    let cgroup_id = unsafe { bpf_get_current_cgroup_id() };
    // SAFETY: as above.
    unsafe { (*process).cgroup_id = cgroup_id };
    // SAFETY: as above.
    unsafe {
        (*process).auid = if TASK_LOGINUID.load() == ABSENT {
            u32::MAX
        } else {
            value(task, TASK_LOGINUID.load())
        }
    };
    // SAFETY: as above.
    ancestors(task, unsafe { &raw mut (*process).ancestors });
    let exe: u64 = value(mm, MM_STRUCT_EXE_FILE.load());
    // SAFETY: as above.
    path::fill(exe, unsafe { &raw mut (*process).exe });
    arguments(mm, process);
    ring::submit(process);
}

#[inline(always)]
fn ancestors(task: u64, into: *mut [Ancestor; ANCESTORS]) {
    let mut ancestor = task;
    for index in 0..ANCESTORS {
        let parent: u64 = value(ancestor, TASK_REAL_PARENT.load());
        let tgid: u32 = value(parent, TASK_TGID.load());
        // The idle task is everybody's last ancestor, and its own.
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

/// From the process's own memory, where it may change them: what it says of itself.
#[inline(always)]
fn arguments(mm: u64, process: *mut Process) {
    let start: u64 = value(mm, MM_STRUCT_ARG_START.load());
    let end: u64 = value(mm, MM_STRUCT_ARG_END.load());
    let len = end.wrapping_sub(start).min(ARGS_LEN as u64) as u32;
    // SAFETY: the record that is being filled.
    let args = unsafe { &raw mut (*process).args };
    // SAFETY: as above.
    unsafe { args.write_bytes(0, 1) };
    let mut read = 0;
    if start != 0 && len > 0 {
        // SAFETY: the helper checks the address, and writes so many bytes.
        let failed = unsafe { bpf_probe_read_user(args.cast(), len, start as *const _) };
        if failed == 0 {
            read = len;
        }
    }
    // SAFETY: the record that is being filled.
    unsafe { (*process).args_len = read };
}
