//! The running kernel as the programs need it: addresses from kallsyms, offsets from BTF.
//!
//! Userspace sets each global before the load. They lie in `.rodata`, which is frozen by then, so
//! the verifier takes them for constants and drops the branches that [`ABSENT`] makes dead.

use aya_ebpf::{
    Global,
    helpers::{bpf_probe_read_kernel, generated},
};

/// An address or offset that this kernel does not have.
pub const ABSENT: u64 = u64::MAX;

/// Address of `tainted_mask` (`kernel/panic.c`).
#[unsafe(no_mangle)]
pub static TAINTED_MASK: Global<u64> = Global::new(ABSENT);
/// First address of `add_taint`, and the first past it.
#[unsafe(no_mangle)]
pub static ADD_TAINT_START: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static ADD_TAINT_END: Global<u64> = Global::new(ABSENT);
/// The same of `proc_taint`.
#[unsafe(no_mangle)]
pub static PROC_TAINT_START: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static PROC_TAINT_END: Global<u64> = Global::new(ABSENT);
/// The entry of the exception that `WARN` raises (`asm_exc_invalid_op`): the frame behind it trapped, and called nothing.
#[unsafe(no_mangle)]
pub static EXCEPTION_START: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static EXCEPTION_END: Global<u64> = Global::new(ABSENT);
/// Where the kernel calls through pointers (`__x86_indirect_thunk_*`, `arch/x86/lib/retpoline.S`).
#[unsafe(no_mangle)]
pub static THUNKS_START: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static THUNKS_END: Global<u64> = Global::new(ABSENT);
/// The kernel's own code (`_stext`, `_etext`), and where modules may lie.
#[unsafe(no_mangle)]
pub static KERNEL_START: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static KERNEL_END: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static MODULES_START: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static MODULES_END: Global<u64> = Global::new(ABSENT);
/// First address, and first past it, of each function that may stand between `WARN` and `add_taint` on a stack.
#[unsafe(no_mangle)]
pub static REPORTERS: [[Global<u64>; 2]; 16] = [const { [const { Global::new(ABSENT) }; 2] }; 16];
/// Address of the array `__per_cpu_offset` (`mm/percpu.c`).
#[unsafe(no_mangle)]
pub static PER_CPU_OFFSET: Global<u64> = Global::new(ABSENT);
/// Where the preemption counter lies: per-CPU on x86 (`__preempt_count`, or a field of `pcpu_hot` from 6.2 to 6.14) …
#[unsafe(no_mangle)]
pub static PREEMPT_COUNT_PER_CPU: Global<u64> = Global::new(ABSENT);
/// … or in the task (`task_struct.thread_info.preempt_count`), as on arm64.
#[unsafe(no_mangle)]
pub static PREEMPT_COUNT_IN_TASK: Global<u64> = Global::new(ABSENT);
/// Where the preemption counter counts interrupts; the bits for NMIs follow the four for interrupts.
#[unsafe(no_mangle)]
pub static HARDIRQ_SHIFT: Global<u64> = Global::new(16);
/// Where the task counts its softirqs (`task_struct.softirq_disable_cnt`), on kernels with `CONFIG_PREEMPT_RT` alone:
/// there the preemption counter does not (`include/linux/preempt.h`, 5.13 and later).
#[unsafe(no_mangle)]
pub static TASK_SOFTIRQ_COUNT: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static TASK_REAL_PARENT: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static TASK_GROUP_LEADER: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static TASK_TGID: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static TASK_START_BOOTTIME: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static LOAD_INFO_MOD: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static MODULE_NAME: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static MODULE_VERSION: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static MODULE_SRCVERSION: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static MODULE_TAINTS: Global<u64> = Global::new(ABSENT);
/// Where a module's code begins and how long it is; then the same of its init code.
#[unsafe(no_mangle)]
pub static MODULE_TEXT_BASE: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static MODULE_TEXT_SIZE: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static MODULE_INIT_BASE: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static MODULE_INIT_SIZE: Global<u64> = Global::new(ABSENT);
// Offsets of members: of a task and its program, then those on the way from a file to the root.
#[unsafe(no_mangle)]
pub static TASK_MM: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static TASK_SELF_EXEC_ID: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static TASK_COMM: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static TASK_LOGINUID: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static MM_STRUCT_EXE_FILE: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static MM_STRUCT_ARG_START: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static MM_STRUCT_ARG_END: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static FILE_F_PATH: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static FILE_F_INODE: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static PATH_DENTRY: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static PATH_MNT: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static INODE_I_INO: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static INODE_I_SB: Global<u64> = Global::new(ABSENT);
/// When an inode was changed: seconds, and the nanoseconds below one.
#[unsafe(no_mangle)]
pub static INODE_CTIME_SEC: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static INODE_CTIME_NSEC: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static SUPER_BLOCK_S_DEV: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static DENTRY_D_PARENT: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static DENTRY_D_NAME: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static QSTR_NAME: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static MOUNT_MNT: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static MOUNT_MNT_PARENT: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static MOUNT_MNT_MOUNTPOINT: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static MOUNT_MNT_NS: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static MNT_NAMESPACE_NS: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static NS_COMMON_INUM: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static VFSMOUNT_MNT_ROOT: Global<u64> = Global::new(ABSENT);
/// The first argument of a system call, and that of one in 32-bit mode.
#[unsafe(no_mangle)]
pub static PT_REGS_DI: Global<u64> = Global::new(ABSENT);
#[unsafe(no_mangle)]
pub static PT_REGS_BX: Global<u64> = Global::new(ABSENT);
/// 1 where `bpf_snprintf` exists (5.13): elsewhere the verifier refuses a program that holds the call, even in dead code.
#[unsafe(no_mangle)]
pub static HAS_SNPRINTF: Global<u64> = Global::new(0);

/// Reads a value at `base + offset` of kernel memory; `None` when the base is null, the offset absent or the address not mapped.
#[inline(always)]
pub fn read<T>(base: u64, offset: u64) -> Option<T> {
    if base == 0 || offset == ABSENT {
        return None;
    }
    let address = base.wrapping_add(offset) as *const T;
    // SAFETY: the helper checks the address and fails on one that is not mapped.
    unsafe { bpf_probe_read_kernel(address) }.ok()
}

/// Reads a value at `base + offset` of kernel memory; zeros when that cannot be read. Without a branch for the
/// verifier to follow: the helper itself zeroes what it cannot read (`bpf_probe_read_kernel_common`,
/// `kernel/trace/bpf_trace.c`).
#[inline(always)]
pub fn value<T: taintwatch_common::Plain>(base: u64, offset: u64) -> T {
    let mut value = core::mem::MaybeUninit::<T>::zeroed();
    if offset != ABSENT {
        let address = base.wrapping_add(offset) as *const core::ffi::c_void;
        // SAFETY: the helper checks the address, and writes a whole value.
        unsafe {
            generated::bpf_probe_read_kernel(
                value.as_mut_ptr().cast(),
                size_of::<T>() as u32,
                address,
            )
        };
    }
    // SAFETY: any bytes are a value (the promise of `Plain`).
    unsafe { value.assume_init() }
}

/// Reads a string at `address` into `into`; what follows its NUL is zeroed.
#[inline(always)]
pub fn read_text<const N: usize>(address: u64, into: *mut [u8; N]) {
    // SAFETY: `into` is valid for writes of N bytes, as every caller's record field is.
    unsafe { into.write_bytes(0, 1) };
    if address != 0 {
        // SAFETY: the helper writes N bytes at most, checks the address, and leaves a failed read empty.
        unsafe { generated::bpf_probe_read_kernel_str(into.cast(), N as u32, address as *const _) };
    }
}

/// The taint mask as it is now.
#[inline(always)]
pub fn mask() -> u64 {
    let address = TAINTED_MASK.load();
    if address == ABSENT {
        0
    } else {
        value(address, 0)
    }
}
