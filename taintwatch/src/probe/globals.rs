//! The globals of the eBPF programs: the address or offset that each stands for on this kernel.
//!
//! In: symbols and types. Out: names and values, `ABSENT` where this kernel has no such thing; the programs then do
//! without it.

use std::ops::Range;

use super::contract::MEMBERS;
use crate::kernel::{btf::Btf, functions::REPORTERS, kallsyms::Kallsyms};

/// What the programs take for "not on this kernel".
const ABSENT: u64 = u64::MAX;
/// Where modules lie on x86-64 with `CONFIG_RANDOMIZE_BASE` (`Documentation/arch/x86/x86_64/mm.rst`).
const MODULES: Range<u64> = 0xffff_ffff_c000_0000..0xffff_ffff_ff00_0000;
/// Ranges that the programs have room for.
const REPORTER_RANGES: usize = 16;

/// What the programs get.
pub(super) struct Globals {
    pub(super) single: Vec<(String, u64)>,
    /// First address and first past it of each function between `WARN` and `add_taint`.
    pub(super) reporters: [[u64; 2]; REPORTER_RANGES],
}

/// Every global with its value.
pub(super) fn all(btf: &Btf, symbols: &Kallsyms) -> Globals {
    let extent = |name| symbols.extent(name).unwrap_or(ABSENT..ABSENT);
    let (add_taint, proc_taint) = (extent("add_taint"), extent("proc_taint"));
    let address = |name| symbols.address(name).unwrap_or(ABSENT);
    let exception = extent("asm_exc_invalid_op");
    let thunks = thunks(symbols);
    let (per_cpu, in_task) = preempt_count(btf, symbols);
    let mut single = vec![
        ("TAINTED_MASK", address("tainted_mask")),
        ("ADD_TAINT_START", add_taint.start),
        ("ADD_TAINT_END", add_taint.end),
        ("PROC_TAINT_START", proc_taint.start),
        ("PROC_TAINT_END", proc_taint.end),
        ("EXCEPTION_START", exception.start),
        ("EXCEPTION_END", exception.end),
        ("THUNKS_START", thunks.start),
        ("THUNKS_END", thunks.end),
        ("KERNEL_START", address("_stext")),
        ("KERNEL_END", address("_etext")),
        ("MODULES_START", MODULES.start),
        ("MODULES_END", MODULES.end),
        ("PER_CPU_OFFSET", address("__per_cpu_offset")),
        ("PREEMPT_COUNT_PER_CPU", per_cpu),
        ("PREEMPT_COUNT_IN_TASK", in_task),
        ("HARDIRQ_SHIFT", hardirq_shift(symbols)),
        ("TASK_SOFTIRQ_COUNT", softirq_count(btf)),
        ("HAS_SNPRINTF", u64::from(resolves_symbols(symbols))),
    ];
    single.extend(module_text(btf));
    single.extend(inode_changed(btf));
    let mut single: Vec<_> = single
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    single.extend(MEMBERS.iter().map(|member| {
        let name = format!("{}_{}", member.structure, member.member).to_ascii_uppercase();
        let offset = btf.offset(member.structure, member.member);
        (
            name.replace("TASK_STRUCT_", "TASK_"),
            offset.unwrap_or(ABSENT),
        )
    }));
    let mut reporters = [[ABSENT; 2]; REPORTER_RANGES];
    for (range, slot) in symbols.extents(&REPORTERS).into_iter().zip(&mut reporters) {
        *slot = [range.start, range.end];
    }
    Globals { single, reporters }
}

/// The thunks for calls through a pointer, one a register, next to each other: `rax` first, `r15` last.
fn thunks(symbols: &Kallsyms) -> Range<u64> {
    let first = symbols.address("__x86_indirect_thunk_rax");
    let last = symbols.extent("__x86_indirect_thunk_r15");
    match (first, last) {
        (Some(first), Some(last)) if first < last.end => first..last.end,
        _ => ABSENT..ABSENT,
    }
}

/// `bpf_snprintf` came with its own handler function in 5.13 (`kernel/bpf/helpers.c`).
pub(super) fn resolves_symbols(symbols: &Kallsyms) -> bool {
    symbols.has("bpf_snprintf")
}

/// Kernels that count disabled interrupts, seen in 7.3, have eight bits more below (`include/linux/preempt.h`).
fn hardirq_shift(symbols: &Kallsyms) -> u64 {
    if symbols.has("local_interrupt_disable_state") {
        24
    } else {
        16
    }
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

/// Where a task counts its softirqs: a member that only kernels with `CONFIG_PREEMPT_RT` have (`include/linux/sched.h`).
fn softirq_count(btf: &Btf) -> u64 {
    let offset = btf.offset("task_struct", "softirq_disable_cnt");
    offset.unwrap_or(ABSENT)
}

/// When an inode was changed: two members of their own since 6.11, before that a `timespec64`, with another name from 6.6
/// on (`include/linux/fs.h`).
fn inode_changed(btf: &Btf) -> [(&'static str, u64); 2] {
    let apart = || {
        let (seconds, rest) = ("i_ctime_sec", "i_ctime_nsec");
        Some((btf.offset("inode", seconds)?, btf.offset("inode", rest)?))
    };
    let together = |member| {
        let at = btf.offset("inode", member)?;
        let of = |part| Some(at + btf.offset("timespec64", part)?);
        Some((of("tv_sec")?, of("tv_nsec")?))
    };
    let found = apart()
        .or_else(|| together("__i_ctime"))
        .or_else(|| together("i_ctime"));
    let (seconds, rest) = found.unwrap_or((ABSENT, ABSENT));
    [("INODE_CTIME_SEC", seconds), ("INODE_CTIME_NSEC", rest)]
}

/// Where a module's code and init code lie: an array of areas since 6.4, before that a layout each
/// (`include/linux/module.h`).
fn module_text(btf: &Btf) -> [(&'static str, u64); 4] {
    /// `enum mod_mem_type`: `MOD_TEXT` is 0, `MOD_INIT_TEXT` is 4.
    const INIT_TEXT: u64 = 4;
    let area = |index: u64, member: &str| {
        let each = index.checked_mul(btf.size("module_memory")?)?;
        Some(btf.offset("module", "mem")? + each + btf.offset("module_memory", member)?)
    };
    let layout = |layout: &str, member: &str| {
        Some(btf.offset("module", layout)? + btf.offset("module_layout", member)?)
    };
    let either = |index, name, size| {
        let areas = || Some((area(index, "base")?, area(index, "size")?));
        let layouts = || Some((layout(name, "base")?, layout(name, size)?));
        areas().or_else(layouts).unwrap_or((ABSENT, ABSENT))
    };
    let (text, text_size) = either(0, "core_layout", "text_size");
    let (init, init_size) = either(INIT_TEXT, "init_layout", "text_size");
    [
        ("MODULE_TEXT_BASE", text),
        ("MODULE_TEXT_SIZE", text_size),
        ("MODULE_INIT_BASE", init),
        ("MODULE_INIT_SIZE", init_size),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::btf::sample::Sample;

    #[test]
    fn the_time_of_an_inodes_change_is_found_in_each_form() {
        let mut apart = Sample::default();
        let (long, int) = (apart.int("long int", 8), apart.int("unsigned int", 4));
        apart.structure("inode", 16, &[("i_ctime_sec", long), ("i_ctime_nsec", int)]);
        let [(_, seconds), (_, rest)] = inode_changed(&apart.parse());
        assert!(seconds < rest && rest < 16);
        for name in ["__i_ctime", "i_ctime"] {
            let mut together = Sample::default();
            let long = together.int("long int", 8);
            let members = [("tv_sec", long), ("tv_nsec", long)];
            let time = together.structure("timespec64", 16, &members);
            together.structure("inode", 24, &[("i_ino", long), (name, time)]);
            let [(_, seconds), (_, rest)] = inode_changed(&together.parse());
            assert_ne!(seconds, ABSENT, "{name}");
            assert!(seconds < rest, "{name}");
        }
        let none = inode_changed(&Sample::default().parse());
        assert_eq!(none.map(|(_, offset)| offset), [ABSENT; 2]);
    }

    #[test]
    fn only_a_kernel_with_preempt_rt_counts_softirqs_in_the_task() {
        let mut sample = Sample::default();
        let int = sample.int("int", 4);
        let members = [("tgid", int), ("softirq_disable_cnt", int)];
        sample.structure("task_struct", 8, &members);
        assert_ne!(softirq_count(&sample.parse()), ABSENT);
        assert_eq!(softirq_count(&Sample::default().parse()), ABSENT);
    }
}
