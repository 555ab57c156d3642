//! Keys and values of maps that the eBPF programs share with userspace: counts by flag and caller, and entries of `add_taint`
//! that wait for their trap.

use crate::{Loading, Plain, SYMBOL_LEN};

/// The `flag` of a [`CountKey`] for direct writes, past `add_taint`.
pub const DIRECT_WRITE: u32 = u32::MAX;

/// What occurrences are counted by.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CountKey {
    /// The flag, or [`DIRECT_WRITE`].
    pub flag: u32,
    /// One of [`crate::context`].
    pub context: u32,
    /// The return address of the code that caused it.
    pub caller: u64,
    /// As in [`crate::Caller`].
    pub jumped: u64,
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
    /// Until when the records of this key that were sent are paid for: each takes some seconds of it,
    pub paid_ns: u64,
    /// and an hour of this: many are sent in a row, and few in a year. `CLOCK_BOOTTIME`.
    pub paid_long_ns: u64,
    /// The last occurrence of any kind.
    pub last_ns: u64,
    /// When the kernel began to count this key: with the key it tells this count from an earlier one of the same key,
    /// which was removed.
    pub created_ns: u64,
    /// One of [`crate::link`], of the key's `caller`.
    pub link: u32,
    pub reserved: u32,
    pub loading: Loading,
    /// `symbol+0xoffset/0xsize [module]` of the caller's address minus one, NUL-terminated; empty where the kernel cannot resolve it.
    pub symbol: [u8; SYMBOL_LEN],
}

/// The task or CPU that is between the entry of `add_taint` and its write.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Writer {
    /// `tgid << 32 | tid`.
    pub task: u64,
    /// One of [`crate::context`].
    pub context: u32,
    /// `u32::MAX` for a task, which may change its CPU. Interrupts stay on theirs, and each CPU has an idle task with id 0.
    pub cpu: u32,
}

/// What an entry of `add_taint` leaves for the trap that follows.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    pub flag: u32,
    pub reserved: u32,
    /// The frame behind `add_taint`, where nothing is recorded or counted yet; else 0.
    pub caller: u64,
    /// `CLOCK_BOOTTIME` of such an entry.
    pub at_ns: u64,
}

// SAFETY: integers without padding, as `layout` asserts.
unsafe impl Plain for Writer {}
// SAFETY: integers without padding, as `layout` asserts.
unsafe impl Plain for Left {}
// SAFETY: integers without padding, as `layout` asserts.
unsafe impl Plain for CountKey {}
// SAFETY: integers without padding, as `layout` asserts.
unsafe impl Plain for Count {}
