//! A record in the ring buffer: its header, and how its fields are written.

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

/// Writes every field of a record in place, in the order given: most records are too large for the stack.
///
/// `field: value` stores a value; `field => function` lets a function write the field through a pointer. A field that is
/// left out does not compile, so no byte of the ring's earlier contents goes to userspace.
///
/// # Safety
///
/// The record is a pointer that `ring::reserve` gave and that was not submitted yet: it points to room for a whole
/// record, and no other code reads or writes it. A function after `=>` writes its whole field.
macro_rules! fill {
    ($record:ident as $type:ident { $($field:ident $(: $value:expr)? $(=> $write:expr)?),+ $(,)? }) => {{
        const _: fn(&$type) = |$type { $($field: _),+ }| ();
        let record: *mut $type = $record;
        $(
            $(
                let value = $value;
                // SAFETY: the contract of this macro.
                unsafe { (*record).$field = value };
            )?
            $(
                // SAFETY: the contract of this macro.
                let field = unsafe { &raw mut (*record).$field };
                $write(field);
            )?
        )+
    }};
}
pub(crate) use fill;
