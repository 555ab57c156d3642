//! The records on the wire: the eBPF programs write them into the ring buffer, userspace decodes them.
//!
//! Plain `repr(C)` values without padding, native endianness, addresses and counts as the kernel
//! has them. A record begins with [`Header`], whose `kind` names the rest and whose `len` is the
//! record's size in bytes. Both sides are built from one checkout into one executable, so
//! [`VERSION`] differs only between a pinned ring buffer and an executable that was replaced meanwhile.
#![no_std]

use core::mem::{offset_of, size_of};

/// The version of every layout in this crate.
pub const VERSION: u16 = 4;

/// `MODULE_NAME_LEN` on 64-bit kernels since 2.6 (`include/linux/module.h`), NUL included.
pub const MODULE_NAME_LEN: usize = 56;
/// `TASK_COMM_LEN`, NUL included.
pub const COMM_LEN: usize = 16;
/// Frames kept of a stack. A taint's cause lies within the first dozen.
pub const STACK_FRAMES: usize = 24;
/// Frames that one `bpf_snprintf` call can format (`MAX_BPRINTF_VARARGS`, 12 since 5.13).
pub const SYMBOLS_PER_TEXT: usize = 12;
/// Bytes for [`SYMBOLS_PER_TEXT`] symbols; a longer text is cut, and the frames then stay addresses.
pub const SYMBOL_TEXT_LEN: usize = 760;
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
    /// One more than the highest: how many counters of losses there are.
    pub const END: u16 = 10;
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
    /// How many counters there are.
    pub const END: u32 = 6;
}

/// The `flag` of a [`CountKey`] for direct writes, past `add_taint`.
pub const DIRECT_WRITE: u32 = u32::MAX;
/// Bytes for a symbol in [`Count`], NUL included; a longer one is cut.
pub const SYMBOL_LEN: usize = 96;

/// What every record begins with.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// One of [`kind`].
    pub kind: u16,
    /// [`VERSION`].
    pub version: u16,
    /// Size of the whole record in bytes.
    pub len: u32,
    /// `CLOCK_BOOTTIME` in nanoseconds (`bpf_ktime_get_boot_ns`).
    pub boottime_ns: u64,
    pub cpu: u32,
    /// One of [`context`].
    pub context: u32,
}

/// The task that was current. Outside task context it is only the one that was interrupted.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    pub tgid: u32,
    pub tid: u32,
    /// The real parent's tgid; 0 when it could not be read.
    pub ppid: u32,
    /// The real uid in the initial user namespace.
    pub uid: u32,
    /// `task_struct.start_boottime`, nanoseconds: with `tgid` it identifies a process in this boot. 0 when it could not be read.
    pub start_boottime_ns: u64,
    /// Address of its `mm_struct`: with `start_boottime_ns` it identifies the program that a process runs; an exec
    /// changes it. 0 for kernel threads.
    pub mm: u64,
    /// Raw bytes, NUL-terminated.
    pub comm: [u8; COMM_LEN],
}

/// The load that the current task is in.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loading {
    /// One of [`stage`].
    pub stage: u32,
    pub reserved: u32,
    /// `struct module.name`, raw bytes, NUL-terminated; empty when the load has no name yet.
    pub name: [u8; MODULE_NAME_LEN],
}

/// A stack from the innermost frame outwards, resolved where the kernel can do it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Valid entries of `frames`.
    pub depth: u32,
    /// Bytes in each of `text`, NUL excluded; 0 when the kernel could not format it.
    pub text_len: [u16; 2],
    /// Return addresses, but for the first, which is an instruction's own.
    pub frames: [u64; STACK_FRAMES],
    /// `symbol+0xoffset/0xsize [module]` of each frame's address minus one (the first frame's as it is), a line each.
    pub text: [[u8; SYMBOL_TEXT_LEN]; 2],
}

/// `add_taint(flag, lockdep_ok)` was entered; the mask is not changed yet.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaintEntry {
    pub header: Header,
    pub task: Task,
    pub loading: Loading,
    pub flag: u32,
    pub lockdep_ok: u32,
    pub mask_before: u64,
    pub stack: Stack,
}

/// The mask was written.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaskWrite {
    pub header: Header,
    pub task: Task,
    pub loading: Loading,
    /// The bit that the instruction set, from its register; `u32::MAX` for any other instruction.
    pub bit: u32,
    /// 1 when `add_taint` itself wrote, and no entry of it explains that: the hook was skipped.
    pub in_add_taint: u32,
    /// The mask after the last write that the watchpoint saw.
    pub mask_before: u64,
    pub mask_after: u64,
    pub stack: Stack,
}

/// A module passed every check and its init function runs next (`MODULE_STATE_COMING`); `trace_module_load`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleComing {
    pub header: Header,
    pub task: Task,
    /// First address and bytes of its code, and of its init code, which is freed when init returned; 0 when unknown.
    pub text: [u64; 2],
    pub init_text: [u64; 2],
    pub name: [u8; MODULE_NAME_LEN],
    pub version: [u8; MODULE_TEXT_LEN],
    pub srcversion: [u8; MODULE_TEXT_LEN],
    /// `struct module.taints`.
    pub taints: u64,
}

/// A module is about to be freed; `trace_module_free`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleFree {
    pub header: Header,
    pub task: Task,
    pub name: [u8; MODULE_NAME_LEN],
    pub taints: u64,
    /// 1 when the task that loads it frees it: its init function failed.
    pub in_load: u32,
    pub reserved: u32,
}

/// `load_module` returned.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadEnd {
    pub header: Header,
    pub task: Task,
    pub loading: Loading,
    /// 0, or a negative errno.
    pub result: i64,
}

/// `proc_taint` returned, in a kernel whose compiler may have put a copy of `add_taint` into it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SysctlWrite {
    pub header: Header,
    pub task: Task,
    pub mask_before: u64,
    pub mask_after: u64,
    /// What was written, raw bytes, NUL-terminated; cut when longer than any number.
    pub text: [u8; SYSCTL_TEXT_LEN],
    pub stack: Stack,
}

/// A path, step by step from the file to the root. A slot each, since the verifier follows a fixed place far better than
/// one that moves.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilePath {
    /// Inode number, and `s_dev` of its file system as the kernel numbers devices (20 bits of minor).
    pub inode: u64,
    pub device: u32,
    /// 1 when the root was reached.
    pub whole: u32,
    /// NUL-terminated; empty for a mount point that was passed, and behind the root.
    pub steps: [[u8; COMPONENT_LEN]; PATH_STEPS],
}

/// An ancestor of a process.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ancestor {
    pub tgid: u32,
    pub reserved: u32,
    pub comm: [u8; COMM_LEN],
}

/// A process, sent once for each program that it runs, before the first record that names it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    pub header: Header,
    pub task: Task,
    /// The id of its cgroup v2.
    pub cgroup_id: u64,
    /// The login uid; `u32::MAX` when it belongs to no login session.
    pub auid: u32,
    /// Bytes of `args` in use.
    pub args_len: u32,
    /// The parent first.
    pub ancestors: [Ancestor; ANCESTORS],
    pub exe: FilePath,
    /// Arguments, a NUL behind each; cut when longer.
    pub args: [u8; ARGS_LEN],
}

/// A task reads a module: from a file, or from its own memory.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleFile {
    pub header: Header,
    pub task: Task,
    /// 1 when it comes from memory (`init_module`), and `path` is empty.
    pub from_memory: u32,
    pub reserved: u32,
    pub path: FilePath,
}

/// The kernel asks for a module (`request_module`) on behalf of `task`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleRequest {
    pub header: Header,
    pub task: Task,
    /// What it asks for, a name or an alias; raw bytes, NUL-terminated.
    pub alias: [u8; ALIAS_LEN],
}

/// What occurrences are counted by.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CountKey {
    /// The flag, or [`DIRECT_WRITE`].
    pub flag: u32,
    /// One of [`context`].
    pub context: u32,
    /// The return address of the code that caused it.
    pub caller: u64,
    /// When the load began that the task is in, `CLOCK_BOOTTIME`; 0 outside a load.
    pub load: u64,
    /// Modules freed so far: after a free an address can be another module's.
    pub epoch: u64,
}

/// Occurrences of a key that have no record of their own, and their symbol in case no record ever has it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Left out since enough records of this key were sent.
    pub suppressed: u64,
    /// Dropped since the ring was full.
    pub unsent: u64,
    /// Records of this key since `since_ns`, less those that the time since allows again.
    pub spent: u64,
    pub since_ns: u64,
    /// The last occurrence of any kind.
    pub last_ns: u64,
    pub loading: Loading,
    /// `symbol+0xoffset/0xsize [module]` of the caller's address minus one, NUL-terminated; empty where the kernel cannot resolve it.
    pub symbol: [u8; SYMBOL_LEN],
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

// SAFETY: an integer; so for the next.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: integers without padding, as the assertions below show; so for each that follows.
unsafe impl Plain for Header {}
// SAFETY: as above.
unsafe impl Plain for TaintEntry {}
// SAFETY: as above.
unsafe impl Plain for MaskWrite {}
// SAFETY: as above.
unsafe impl Plain for ModuleComing {}
// SAFETY: as above.
unsafe impl Plain for ModuleFree {}
// SAFETY: as above.
unsafe impl Plain for LoadEnd {}
// SAFETY: as above.
unsafe impl Plain for SysctlWrite {}
// SAFETY: as above.
unsafe impl Plain for Process {}
// SAFETY: as above.
unsafe impl Plain for ModuleFile {}
// SAFETY: as above.
unsafe impl Plain for ModuleRequest {}
// SAFETY: as above.
unsafe impl Plain for CountKey {}
// SAFETY: as above.
unsafe impl Plain for Count {}

impl Wire for TaintEntry {
    const KIND: u16 = kind::TAINT_ENTRY;
}
impl Wire for MaskWrite {
    const KIND: u16 = kind::MASK_WRITE;
}
impl Wire for ModuleComing {
    const KIND: u16 = kind::MODULE_COMING;
}
impl Wire for ModuleFree {
    const KIND: u16 = kind::MODULE_FREE;
}
impl Wire for LoadEnd {
    const KIND: u16 = kind::LOAD_END;
}
impl Wire for Process {
    const KIND: u16 = kind::PROCESS;
}
impl Wire for ModuleFile {
    const KIND: u16 = kind::MODULE_FILE;
}
impl Wire for ModuleRequest {
    const KIND: u16 = kind::MODULE_REQUEST;
}
impl Wire for SysctlWrite {
    const KIND: u16 = kind::SYSCTL_WRITE;
}

/// The largest record, in bytes.
pub const MAX_RECORD: usize = size_of::<Process>();

// Padding would carry old ring contents to userspace and make the layouts differ between compilers.
const _: () = {
    assert!(size_of::<Header>() == 24);
    assert!(size_of::<Task>() == 48);
    assert!(size_of::<Loading>() == 64);
    assert!(size_of::<Stack>() == 8 + 8 * STACK_FRAMES + 2 * SYMBOL_TEXT_LEN);
    assert!(offset_of!(TaintEntry, task) == 24);
    assert!(offset_of!(TaintEntry, loading) == 72);
    assert!(offset_of!(TaintEntry, flag) == 136);
    assert!(offset_of!(TaintEntry, mask_before) == 144);
    assert!(offset_of!(TaintEntry, stack) == 152);
    assert!(size_of::<TaintEntry>() == 152 + size_of::<Stack>());
    assert!(offset_of!(MaskWrite, mask_before) == 144);
    assert!(offset_of!(MaskWrite, stack) == 160);
    assert!(size_of::<MaskWrite>() == 160 + size_of::<Stack>());
    assert!(offset_of!(ModuleComing, name) == 104);
    assert!(offset_of!(ModuleComing, version) == 104 + MODULE_NAME_LEN);
    assert!(size_of::<ModuleComing>() == 104 + MODULE_NAME_LEN + 2 * MODULE_TEXT_LEN + 8);
    assert!(size_of::<ModuleFree>() == 72 + MODULE_NAME_LEN + 16);
    assert!(offset_of!(LoadEnd, result) == 136);
    assert!(size_of::<LoadEnd>() == 144);
    assert!(offset_of!(SysctlWrite, text) == 88);
    assert!(size_of::<SysctlWrite>() == 88 + SYSCTL_TEXT_LEN + size_of::<Stack>());
    assert!(size_of::<FilePath>() == 16 + COMPONENT_LEN * PATH_STEPS);
    assert!(size_of::<Ancestor>() == 24);
    assert!(offset_of!(Process, ancestors) == 88);
    assert!(size_of::<Process>() == 88 + 24 * ANCESTORS + size_of::<FilePath>() + ARGS_LEN);
    assert!(size_of::<ModuleFile>() == 80 + size_of::<FilePath>());
    assert!(size_of::<ModuleRequest>() == 72 + ALIAS_LEN);
    assert!(size_of::<CountKey>() == 32);
    assert!(size_of::<Count>() == 40 + size_of::<Loading>() + SYMBOL_LEN);
};
