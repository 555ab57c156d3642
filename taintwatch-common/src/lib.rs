//! The records on the wire: what the kernel half writes into the ring buffer and the userspace
//! half decodes.
//!
//! Plain `repr(C)` values without padding, native endianness, addresses and counts as the kernel
//! has them. A record begins with [`Header`], whose `kind` names the rest and whose `len` is the
//! record's size in bytes. Both halves are built from one checkout and travel in one executable, so
//! [`VERSION`] differs only between a pinned ring buffer and a program that was replaced meanwhile.
#![no_std]

use core::mem::{offset_of, size_of};

/// The version of every layout in this file.
pub const VERSION: u16 = 1;

/// `MODULE_NAME_LEN` on 64-bit kernels since 2.6 (`include/linux/module.h`), NUL included.
pub const MODULE_NAME_LEN: usize = 56;
/// `TASK_COMM_LEN`, NUL included.
pub const COMM_LEN: usize = 16;
/// Frames kept of a stack. A taint's cause lies within the first dozen.
pub const STACK_FRAMES: usize = 24;
/// Frames that one `bpf_snprintf` call can format (`MAX_BPRINTF_VARARGS`, 12 since 5.13).
pub const SYMBOLS_PER_TEXT: usize = 12;
/// Room for [`SYMBOLS_PER_TEXT`] symbols; a longer text is cut, and the frames then stay addresses.
pub const SYMBOL_TEXT_LEN: usize = 760;
/// Room for `version` and `srcversion` of a module, NUL included; longer ones are cut.
pub const MODULE_TEXT_LEN: usize = 64;

/// What a record tells.
pub mod kind {
    /// [`super::TaintEntry`]: `add_taint` was entered.
    pub const TAINT_ENTRY: u16 = 1;
    /// [`super::MaskWrite`]: the mask was written, and no entry of `add_taint` explains it.
    pub const MASK_WRITE: u16 = 2;
    /// [`super::ModuleLive`]: a module is complete; its init function runs next.
    pub const MODULE_LIVE: u16 = 3;
    /// [`super::ModuleFree`]: a module's memory is about to be freed.
    pub const MODULE_FREE: u16 = 4;
    /// [`super::LoadEnd`]: `load_module` returned.
    pub const LOAD_END: u16 = 5;
}

/// What the CPU was doing, from the preemption counter without what the hook itself adds to it.
pub mod context {
    pub const UNKNOWN: u32 = 0;
    pub const TASK: u32 = 1;
    pub const SOFTIRQ: u32 = 2;
    pub const HARDIRQ: u32 = 3;
    pub const NMI: u32 = 4;
}

/// How far the load that a task is in has come.
pub mod stage {
    /// The task is loading no module.
    pub const NONE: u32 = 0;
    /// Before `module_load`: the module is a copy of the file, not yet complete.
    pub const FORMING: u32 = 1;
    /// After `module_load`: the module's init function runs.
    pub const LIVE: u32 = 2;
}

/// Why records were lost; the index into the kernel half's counters.
pub mod loss {
    /// The ring buffer was full, or busy under an NMI.
    pub const RING: u32 = 0;
    /// How many reasons there are.
    pub const REASONS: u32 = 1;
}

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
    /// `task_struct.start_boottime`, nanoseconds: with `tgid` it names a process for ever. 0 when it could not be read.
    pub start_boottime_ns: u64,
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
    /// The mask as it was after the last write that the watch saw.
    pub mask_before: u64,
    pub mask_after: u64,
    pub stack: Stack,
}

/// A module passed every check; `trace_module_load`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleLive {
    pub header: Header,
    pub task: Task,
    pub name: [u8; MODULE_NAME_LEN],
    pub version: [u8; MODULE_TEXT_LEN],
    pub srcversion: [u8; MODULE_TEXT_LEN],
    /// `struct module.taints`.
    pub taints: u64,
}

/// A module goes away; `trace_module_free`.
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

// SAFETY: integers without padding, as the assertions below show; so for each that follows.
unsafe impl Plain for Header {}
// SAFETY: as above.
unsafe impl Plain for TaintEntry {}
// SAFETY: as above.
unsafe impl Plain for MaskWrite {}
// SAFETY: as above.
unsafe impl Plain for ModuleLive {}
// SAFETY: as above.
unsafe impl Plain for ModuleFree {}
// SAFETY: as above.
unsafe impl Plain for LoadEnd {}

impl Wire for TaintEntry {
    const KIND: u16 = kind::TAINT_ENTRY;
}
impl Wire for MaskWrite {
    const KIND: u16 = kind::MASK_WRITE;
}
impl Wire for ModuleLive {
    const KIND: u16 = kind::MODULE_LIVE;
}
impl Wire for ModuleFree {
    const KIND: u16 = kind::MODULE_FREE;
}
impl Wire for LoadEnd {
    const KIND: u16 = kind::LOAD_END;
}

/// The largest record, in bytes.
pub const MAX_RECORD: usize = size_of::<TaintEntry>();

// Padding would carry old ring contents to userspace and make the layouts differ between compilers.
const _: () = {
    assert!(size_of::<Header>() == 24);
    assert!(size_of::<Task>() == 40);
    assert!(size_of::<Loading>() == 64);
    assert!(size_of::<Stack>() == 8 + 8 * STACK_FRAMES + 2 * SYMBOL_TEXT_LEN);
    assert!(offset_of!(TaintEntry, task) == 24);
    assert!(offset_of!(TaintEntry, loading) == 64);
    assert!(offset_of!(TaintEntry, flag) == 128);
    assert!(offset_of!(TaintEntry, mask_before) == 136);
    assert!(offset_of!(TaintEntry, stack) == 144);
    assert!(size_of::<TaintEntry>() == 144 + size_of::<Stack>());
    assert!(offset_of!(MaskWrite, mask_before) == 128);
    assert!(offset_of!(MaskWrite, stack) == 144);
    assert!(size_of::<MaskWrite>() == 144 + size_of::<Stack>());
    assert!(offset_of!(ModuleLive, version) == 64 + MODULE_NAME_LEN);
    assert!(size_of::<ModuleLive>() == 64 + MODULE_NAME_LEN + 2 * MODULE_TEXT_LEN + 8);
    assert!(size_of::<ModuleFree>() == 64 + MODULE_NAME_LEN + 16);
    assert!(offset_of!(LoadEnd, result) == 128);
    assert!(size_of::<LoadEnd>() == 136);
};
