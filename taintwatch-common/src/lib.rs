//! The records on the wire: the eBPF programs write them into the ring buffer, userspace decodes them.
//!
//! Plain `repr(C)` values without padding, native endianness, addresses and counts as the kernel
//! has them. A record begins with [`Header`], whose `kind` names the rest and whose `len` is the
//! record's size in bytes. Both sides are built from one checkout into one executable, so
//! [`VERSION`] differs only between a pinned ring buffer and an executable that was replaced meanwhile.
#![no_std]

mod counts;
mod layout;
mod records;
pub mod x86;

pub use counts::{Count, CountKey, DIRECT_WRITE, Left, Writer};
pub use records::{
    Ancestor, Callees, Caller, FilePath, Header, LoadEnd, Loading, MAX_RECORD, MaskWrite,
    ModuleComing, ModuleFile, ModuleFree, ModuleRequest, Process, Stack, SysctlWrite, TaintEntry,
    Task, UnloadStack,
};

/// The version of every layout in this crate.
pub const VERSION: u16 = 7;

/// `MODULE_NAME_LEN` on 64-bit kernels since 2.6 (`include/linux/module.h`), NUL included.
pub const MODULE_NAME_LEN: usize = 56;
/// `TASK_COMM_LEN`, NUL included.
pub const COMM_LEN: usize = 16;
/// Frames kept of a stack. A taint's cause lies within the first dozen.
pub const STACK_FRAMES: usize = 24;
/// Bytes for a symbol with its offset, size and module, NUL included; one that fills them is cut, and stays an address.
pub const SYMBOL_LEN: usize = 96;
/// Functions kept of those that may have left no frame.
pub const CALLEES: usize = 8;
/// Bytes kept of the code of each.
pub const CODE_LEN: usize = 256;
/// Bytes for a component of a path, NUL included; a longer one is cut.
pub const COMPONENT_LEN: usize = 64;
/// Steps from a file to the root: components, and mount points in between.
pub const PATH_STEPS: usize = 20;
/// Ancestors kept of a process.
pub const ANCESTORS: usize = 6;
/// Bytes kept of a process's arguments.
pub const ARGS_LEN: usize = 256;
/// `MODULE_NAME_LEN` is the most that `request_module` takes (`kernel/module/kmod.c`); with the NUL.
pub const ALIAS_LEN: usize = 64;
/// Bytes kept of what is written to the sysctl: a 64-bit number, a sign and a newline fit.
pub const SYSCTL_TEXT_LEN: usize = 32;
/// Bytes for `version` and for `srcversion` of a module, NUL included; longer ones are cut.
pub const MODULE_TEXT_LEN: usize = 64;

/// Bytes kept of the kernel stack of a task that unloads a module: its system call's frame is within them.
pub const UNLOAD_STACK_LEN: usize = 512;

/// The kinds of records.
pub mod kind {
    /// [`super::TaintEntry`]: `add_taint` was entered.
    pub const TAINT_ENTRY: u16 = 1;
    /// [`super::MaskWrite`]: the mask was written, and no entry of `add_taint` explains it.
    pub const MASK_WRITE: u16 = 2;
    /// [`super::ModuleComing`]: a module is loaded; its init function runs next.
    pub const MODULE_COMING: u16 = 3;
    /// [`super::ModuleFree`]: a module's memory is about to be freed.
    pub const MODULE_FREE: u16 = 4;
    /// [`super::LoadEnd`]: `load_module` returned.
    pub const LOAD_END: u16 = 5;
    /// [`super::SysctlWrite`]: `proc_taint` returned, and no hook saw it call `add_taint`.
    pub const SYSCTL_WRITE: u16 = 6;
    /// [`super::Process`]: a process that other records name.
    pub const PROCESS: u16 = 7;
    /// [`super::ModuleFile`]: a task reads a module.
    pub const MODULE_FILE: u16 = 8;
    /// [`super::ModuleRequest`]: the kernel asks for a module.
    pub const MODULE_REQUEST: u16 = 9;
    /// [`super::Callees`]: functions that may have left no frame.
    pub const CALLEES: u16 = 10;
    /// [`super::UnloadStack`]: where the kernel keeps the name of a module that it unloads.
    pub const UNLOAD_STACK: u16 = 11;
    /// One more than the highest: how many counters of losses there are.
    pub const END: u16 = 12;
}

/// How the frame of a [`Caller`] is connected to the next one inwards.
pub mod link {
    /// The stack has no frame of it.
    pub const UNKNOWN: u32 = 0;
    /// Its own instruction called the next function, trapped or wrote: the frame is the cause's.
    pub const PROVEN: u32 = 1;
    /// It called another function directly, and that one jumped.
    pub const JUMPED: u32 = 2;
    /// It called through a pointer: any function may have been called, and have jumped.
    pub const INDIRECT: u32 = 3;
    /// The address of `add_taint` is not known to the programs: [`super::Caller::target`] has to be compared.
    pub const UNCHECKED: u32 = 4;
}

/// What made a [`MaskWrite`].
pub mod writer {
    /// Code outside `add_taint`.
    pub const OTHER: u32 = 0;
    /// `add_taint`, and no entry of it explains that: the hook was skipped.
    pub const ADD_TAINT: u32 = 1;
    /// `add_taint`, whose entry left the record to the watchpoint's program, which sees the registers.
    pub const LEFT_BY_ENTRY: u32 = 2;
}

/// What the CPU was doing, from the preemption counter without what the hook itself adds to it.
pub mod context {
    pub const UNKNOWN: u32 = 0;
    pub const TASK: u32 = 1;
    pub const SOFTIRQ: u32 = 2;
    pub const HARDIRQ: u32 = 3;
    pub const NMI: u32 = 4;
}

/// The stage of the load that a task is in, named after `enum module_state` (`include/linux/module.h`).
pub mod stage {
    /// The task is loading no module.
    pub const NONE: u32 = 0;
    /// Before the tracepoint `module_load`: the loader works on its copy of the file. For the last steps, which are
    /// parameters and sysfs, the kernel's own state is `MODULE_STATE_COMING` already.
    pub const UNFORMED: u32 = 1;
    /// After the tracepoint `module_load`: the module's init function runs.
    pub const COMING: u32 = 2;
    /// No load but an unload: `delete_module` was called with the name.
    pub const UNLOADING: u32 = 3;
}

/// Indices of the plain counters.
pub mod counter {
    /// Entries of `add_taint`.
    pub const ENTRIES: u32 = 0;
    /// Writes of the mask inside `add_taint`, each explained by an entry: as many as entries, once no call is in progress.
    pub const EXPLAINED: u32 = 1;
    /// Writes of the mask inside `add_taint` that no entry explains.
    pub const UNEXPLAINED: u32 = 2;
    /// Traps of a watchpoint elsewhere: the proof that traps reach the program.
    pub const PROVEN: u32 = 3;
    /// Occurrences that were not counted by key: the map of the counts was full.
    pub const UNKEYED: u32 = 4;
    /// Reads of the sysctl that the hook on `proc_taint` saw: the proof that hooks on functions fire.
    pub const READS: u32 = 5;
    /// Traps of the mask's watchpoint at code that did not write the mask.
    pub const SPURIOUS: u32 = 6;
    /// Requests for modules beyond the limit that each user has: they have no record.
    pub const LIMITED: u32 = 7;
    /// Proofs that the watchpoint on the mask counts on the CPU that asked.
    pub const ALIVE: u32 = 8;
    /// How many counters there are.
    pub const END: u32 = 9;
}

/// A type of which any bytes are a value.
///
/// # Safety
///
/// The type is `repr(C)`, has no padding and consists of integers and arrays of integers alone.
pub unsafe trait Plain: Copy {}

/// A whole record.
pub trait Wire: Plain {
    /// One of [`kind`].
    const KIND: u16;
}

// SAFETY: an integer.
unsafe impl Plain for u32 {}
// SAFETY: an integer.
unsafe impl Plain for u64 {}
