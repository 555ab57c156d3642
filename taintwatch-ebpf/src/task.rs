//! The current task, and in which context the CPU runs.

use aya_ebpf::helpers::{
    bpf_get_current_pid_tgid, bpf_get_current_uid_gid,
    generated::{bpf_get_current_comm, bpf_get_current_task, bpf_get_smp_processor_id},
};
use taintwatch_common::{COMM_LEN, Task, context};

use crate::target::{
    ABSENT, HARDIRQ_SHIFT, PER_CPU_OFFSET, PREEMPT_COUNT_IN_TASK, PREEMPT_COUNT_PER_CPU,
    TASK_GROUP_LEADER, TASK_REAL_PARENT, TASK_SELF_EXEC_ID, TASK_SOFTIRQ_COUNT,
    TASK_START_BOOTTIME, TASK_TGID, read, value,
};

/// `SOFTIRQ_OFFSET`: the CPU serves a softirq (`include/linux/preempt.h`, the same since 2.6.31).
const SERVING_SOFTIRQ: u32 = 1 << 8;
/// On x86 the highest bit says that nothing is to be rescheduled (`PREEMPT_NEED_RESCHED`).
const COUNTED: u32 = 0x7fff_ffff;

/// How a program came to run: called by the hooked function, or by an exception.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    ByCall,
    /// A debug exception from kernel code counts as one NMI and one interrupt: `exc_debug_kernel` runs
    /// `irqentry_nmi_enter` (`arch/x86/kernel/traps.c`, 5.8 and later).
    ByDebugException,
}

/// What the CPU is doing, one of [`context`], without the hook's own part in it.
#[inline(always)]
pub fn context(entered: Entered) -> u32 {
    let Some(count) = preempt_count() else {
        return context::UNKNOWN;
    };
    let shift = HARDIRQ_SHIFT.load() as u32;
    let (hardirq, nmi) = (1 << shift, 1 << (shift + 4));
    let (hardirq_mask, nmi_mask) = ((0xf << shift) & COUNTED, (0xf << (shift + 4)) & COUNTED);
    let own = if entered == Entered::ByDebugException {
        hardirq + nmi
    } else {
        0
    };
    let count = count.wrapping_sub(own);
    if count & nmi_mask != 0 {
        context::NMI
    } else if count & hardirq_mask != 0 {
        context::HARDIRQ
    } else if softirq_count(count) & SERVING_SOFTIRQ != 0 {
        context::SOFTIRQ
    } else {
        context::TASK
    }
}

/// With `PREEMPT_RT` softirqs run in a task, which counts them itself: `ksoftirqd_run_begin` and `__local_bh_enable_ip`
/// (`kernel/softirq.c`, 6.1 and 6.12) leave [`SERVING_SOFTIRQ`] in it. It is only their carrier, such as whoever called
/// `local_bh_enable` last.
#[inline(always)]
fn softirq_count(preempt_count: u32) -> u32 {
    if TASK_SOFTIRQ_COUNT.load() == ABSENT {
        preempt_count
    } else {
        value(current(), TASK_SOFTIRQ_COUNT.load())
    }
}

#[inline(always)]
fn preempt_count() -> Option<u32> {
    let per_cpu = PREEMPT_COUNT_PER_CPU.load();
    if per_cpu == ABSENT {
        return read(current(), PREEMPT_COUNT_IN_TASK.load());
    }
    let base: u64 = read(PER_CPU_OFFSET.load(), u64::from(cpu()) * 8)?;
    read(base.wrapping_add(per_cpu), 0)
}

/// Fills in the current task.
#[inline(always)]
pub fn fill(into: *mut Task) {
    let ids = bpf_get_current_pid_tgid();
    let task = current();
    let parent: u64 = value(task, TASK_REAL_PARENT.load());
    let leader: u64 = value(task, TASK_GROUP_LEADER.load());
    let value = Task {
        tgid: (ids >> 32) as u32,
        tid: ids as u32,
        ppid: value(parent, TASK_TGID.load()),
        uid: bpf_get_current_uid_gid() as u32,
        start_boottime_ns: value(leader, TASK_START_BOOTTIME.load()),
        exec_id: exec_id(),
        comm: [0; COMM_LEN],
    };
    // SAFETY: the caller's record field is valid for writes.
    unsafe { into.write(value) };
    // SAFETY: the field of the record that was just written.
    let comm = unsafe { &raw mut (*into).comm };
    // SAFETY: the helper writes COMM_LEN bytes at most, NUL included.
    unsafe { bpf_get_current_comm(comm.cast(), COMM_LEN as u32) };
}

/// Thread and process id of the current task, as `tgid << 32 | tid`.
#[inline(always)]
pub fn id() -> u64 {
    bpf_get_current_pid_tgid()
}

/// When the current process started, which distinguishes it from an earlier one with its id; 0 when unknown.
#[inline(always)]
pub fn start() -> u64 {
    let leader: u64 = value(current(), TASK_GROUP_LEADER.load());
    value(leader, TASK_START_BOOTTIME.load())
}

/// How many programs the process has run, those of its parents before it included.
#[inline(always)]
pub fn exec_id() -> u64 {
    value(current(), TASK_SELF_EXEC_ID.load())
}

#[inline(always)]
pub fn cpu() -> u32 {
    // SAFETY: no arguments.
    unsafe { bpf_get_smp_processor_id() }
}

#[inline(always)]
pub fn current() -> u64 {
    // SAFETY: no arguments, and the result is only ever read through the checking helper.
    unsafe { bpf_get_current_task() }
}
