//! The records, and the parts that several of them have.

use core::mem::size_of;

use crate::{
    ALIAS_LEN, ANCESTORS, ARGS_LEN, CALLEES, CODE_LEN, COMM_LEN, COMPONENT_LEN, MODULE_NAME_LEN,
    MODULE_TEXT_LEN, PATH_STEPS, Plain, STACK_FRAMES, SYMBOL_LEN, SYSCTL_TEXT_LEN,
    UNLOAD_STACK_LEN, Wire, kind, stage,
};

/// What every record begins with.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// One of [`kind`].
    pub kind: u16,
    /// [`crate::VERSION`].
    pub version: u16,
    /// Size of the whole record in bytes.
    pub len: u32,
    /// `CLOCK_BOOTTIME` in nanoseconds (`bpf_ktime_get_boot_ns`).
    pub boottime_ns: u64,
    pub cpu: u32,
    /// One of [`crate::context`].
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
    /// `task_struct.self_exec_id`, which each exec raises: with `start_boottime_ns` it identifies the program that a process
    /// runs. The address of its `mm_struct` does not: memory of the program before is used again.
    pub exec_id: u64,
    /// Raw bytes, NUL-terminated.
    pub comm: [u8; COMM_LEN],
}

/// The load that the current task is in.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loading {
    /// One of [`crate::stage`].
    pub stage: u32,
    pub reserved: u32,
    /// The `boottime_ns` of the [`ModuleFile`] that this load read its module by; 0 when no hook saw it.
    pub file_ns: u64,
    /// `struct module.name`, raw bytes, NUL-terminated; empty when the load has no name yet.
    pub name: [u8; MODULE_NAME_LEN],
}

impl Loading {
    /// For an interrupt, and for a task that loads nothing.
    pub const NONE: Self = Self {
        stage: stage::NONE,
        reserved: 0,
        file_ns: 0,
        name: [0; MODULE_NAME_LEN],
    };
}

/// A stack from the innermost frame outwards, resolved where the kernel can do it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Valid entries of `frames`.
    pub depth: u32,
    pub reserved: u32,
    /// Return addresses, but for the first, which is an instruction's own.
    pub frames: [u64; STACK_FRAMES],
    /// `symbol+0xoffset/0xsize [module]` of each frame's address minus one, NUL-terminated; empty where the kernel cannot
    /// resolve it. A field each: a symbol may hold any byte but NUL.
    pub text: [[u8; SYMBOL_LEN]; STACK_FRAMES],
}

/// The frame that is taken for the code that caused an event, and what the instruction before its return address calls.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The frame's address; 0 when the stack has no such frame.
    pub address: u64,
    /// What a direct call before the address calls; 0 for any other instruction.
    pub target: u64,
    /// What distinguishes functions that it calls through a pointer, from the registers; 0 where none is needed or known.
    pub jumped: u64,
    /// The `boottime_ns` of the [`Callees`] that belong to it; 0 without any.
    pub callees_ns: u64,
    /// One of [`crate::link`].
    pub link: u32,
    pub reserved: u32,
}

impl Caller {
    /// Of a stack without such a frame.
    pub const NONE: Self = Self {
        address: 0,
        target: 0,
        jumped: 0,
        callees_ns: 0,
        link: crate::link::UNKNOWN,
        reserved: 0,
    };
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
    pub caller: Caller,
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
    /// One of [`crate::writer`].
    pub writer: u32,
    /// The mask after the last write that the watchpoint saw.
    pub mask_before: u64,
    pub mask_after: u64,
    pub caller: Caller,
    pub stack: Stack,
}

/// Functions that may have run between [`Caller`]'s frame and the next one, and left no frame: one that ends in a call
/// of another is compiled to a jump. Sent before the record that refers to it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Callees {
    pub header: Header,
    /// How many were found; more than [`CALLEES`] when some are left out.
    pub found: u32,
    pub reserved: u32,
    /// First instructions, or 0.
    pub addresses: [u64; CALLEES],
    /// `symbol+0xoffset/0xsize [module]` of each, NUL-terminated; empty where the kernel cannot resolve it.
    pub text: [[u8; SYMBOL_LEN]; CALLEES],
    /// The code at each address; zeros where it cannot be read.
    pub code: [[u8; CODE_LEN]; CALLEES],
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
    /// As in [`Loading`].
    pub file_ns: u64,
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

/// The kernel stack of a task that unloads a module, at its first taint. The system call has copied the module's name there
/// (`__do_sys_delete_module`, `kernel/module/main.c`): the name in the process's memory can be another one by then. Sent
/// before the record that it belongs to.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnloadStack {
    pub header: Header,
    pub task: Task,
    pub bytes: [u8; UNLOAD_STACK_LEN],
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
    /// When the inode was last changed (`i_ctime`): seconds, and the nanoseconds below one.
    pub changed_s: u64,
    pub changed_ns: u32,
    pub reserved: u32,
    pub device: u32,
    /// The number of the mount namespace whose root was reached; 0 when none was, as for a file in memory alone.
    pub namespace: u32,
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

/// The largest record, in bytes.
pub const MAX_RECORD: usize = size_of::<Callees>();

// SAFETY: integers without padding, as `layout` asserts.
unsafe impl Plain for Header {}

/// Types that are whole records, each with its kind.
macro_rules! records {
    ($($record:ident: $kind:ident,)+) => {
        $(
            // SAFETY: integers without padding, as `layout` asserts.
            unsafe impl Plain for $record {}

            impl Wire for $record {
                const KIND: u16 = kind::$kind;
            }
        )+
    };
}

records! {
    TaintEntry: TAINT_ENTRY,
    MaskWrite: MASK_WRITE,
    ModuleComing: MODULE_COMING,
    ModuleFree: MODULE_FREE,
    LoadEnd: LOAD_END,
    SysctlWrite: SYSCTL_WRITE,
    Process: PROCESS,
    ModuleFile: MODULE_FILE,
    ModuleRequest: MODULE_REQUEST,
    Callees: CALLEES,
    UnloadStack: UNLOAD_STACK,
}
