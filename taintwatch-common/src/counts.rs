//! What is counted in the map of counts, by flag and caller.

use crate::{Loading, Plain};

/// The `flag` of a [`CountKey`] for direct writes, past `add_taint`.
pub const DIRECT_WRITE: u32 = u32::MAX;
/// Bytes for a symbol in [`Count`], NUL included; a longer one is cut.
pub const SYMBOL_LEN: usize = 96;

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

// SAFETY: integers without padding, as `layout` asserts.
unsafe impl Plain for CountKey {}
// SAFETY: integers without padding, as `layout` asserts.
unsafe impl Plain for Count {}
