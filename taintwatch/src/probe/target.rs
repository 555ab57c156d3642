//! The globals of the kernel half: which address or offset each stands for on this kernel.
//!
//! In: symbols and types. Out: names and values, `ABSENT` where this kernel has no such thing; the
//! programs then do without.

use crate::kernel::{btf::Btf, kallsyms::Kallsyms};

/// What the programs take for "not on this kernel".
const ABSENT: u64 = u64::MAX;

/// Struct members by the global that holds their offset.
const MEMBERS: [(&str, &str, &str); 9] = [
    ("TASK_REAL_PARENT", "task_struct", "real_parent"),
    ("TASK_GROUP_LEADER", "task_struct", "group_leader"),
    ("TASK_TGID", "task_struct", "tgid"),
    ("TASK_START_BOOTTIME", "task_struct", "start_boottime"),
    ("LOAD_INFO_MOD", "load_info", "mod"),
    ("MODULE_NAME", "module", "name"),
    ("MODULE_VERSION", "module", "version"),
    ("MODULE_SRCVERSION", "module", "srcversion"),
    ("MODULE_TAINTS", "module", "taints"),
];

/// Every global with its value.
#[must_use]
pub fn globals(btf: &Btf, symbols: &Kallsyms) -> Vec<(&'static str, u64)> {
    let add_taint = symbols.extent("add_taint").unwrap_or(ABSENT..ABSENT);
    let address = |name| symbols.address(name).unwrap_or(ABSENT);
    let (per_cpu, in_task) = preempt_count(btf, symbols);
    let mut globals = vec![
        ("TAINTED_MASK", address("tainted_mask")),
        ("ADD_TAINT_START", add_taint.start),
        ("ADD_TAINT_END", add_taint.end),
        ("PER_CPU_OFFSET", address("__per_cpu_offset")),
        ("PREEMPT_COUNT_PER_CPU", per_cpu),
        ("PREEMPT_COUNT_IN_TASK", in_task),
        // Kernels that count disabled interrupts, seen in 7.3, have eight bits more below (include/linux/preempt.h).
        (
            "HARDIRQ_SHIFT",
            if symbols.address("local_interrupt_disable_state").is_some() {
                24
            } else {
                16
            },
        ),
        // `bpf_snprintf` came with its own handler function in 5.13 (`kernel/bpf/helpers.c`).
        (
            "HAS_SNPRINTF",
            u64::from(symbols.address("bpf_snprintf").is_some()),
        ),
    ];
    globals.extend(MEMBERS.map(|(global, composite, member)| {
        (global, btf.offset(composite, member).unwrap_or(ABSENT))
    }));
    globals
}

/// Where the preemption counter lies: `(per-CPU address, offset in the task)`, one of them absent.
fn preempt_count(btf: &Btf, symbols: &Kallsyms) -> (u64, u64) {
    // x86 up to 6.1 and from 6.15 on: a per-CPU variable of its own (arch/x86/include/asm/preempt.h).
    if let Some(address) = symbols.address("__preempt_count") {
        return (address, ABSENT);
    }
    // x86 from 6.2 to 6.14: a member of the per-CPU `struct pcpu_hot`.
    let hot = symbols.address("pcpu_hot");
    if let (Some(address), Some(offset)) = (hot, btf.offset("pcpu_hot", "preempt_count")) {
        return (address + offset, ABSENT);
    }
    let in_task = btf
        .offset("task_struct", "thread_info")
        .and_then(|info| Some(info + btf.offset("thread_info", "preempt_count")?));
    (ABSENT, in_task.unwrap_or(ABSENT))
}
