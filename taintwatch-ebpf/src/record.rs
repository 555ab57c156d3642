//! The header that every record begins with.

use aya_ebpf::helpers::generated::bpf_ktime_get_boot_ns;
use taintwatch_common::{Header, VERSION, Wire};

use crate::task;

/// The header of a record of type `T` that is written now.
#[inline(always)]
pub fn header<T: Wire>(context: u32) -> Header {
    Header {
        kind: T::KIND,
        version: VERSION,
        len: size_of::<T>() as u32,
        // SAFETY: no arguments.
        boottime_ns: unsafe { bpf_ktime_get_boot_ns() },
        cpu: task::cpu(),
        context,
    }
}
