//! The parts of an event that one field of a record gives.
//!
//! In: fields of records. Out: fields of the public event.

use taintwatch_common::{self as wire, context};

use super::frames::Frame;
use crate::{
    event::{Context, Mask, Module, Taint},
    kernel::functions::{INTERRUPTS, SYSCALL_ENTRIES},
    record::text,
    taint::tables::Table,
};

/// A flag was set again; which one is not known.
pub(super) fn again(mask: Mask) -> Taint {
    Taint {
        first: Some(false),
        count: Some(1),
        mask_before: Some(mask),
        mask_after: Some(mask),
        ..Taint::default()
    }
}

/// A change of the mask, without a claim what its bits stand for.
pub(super) fn change(before: Mask, after: Mask) -> Taint {
    Taint {
        count: Some(1),
        mask_before: Some(before),
        mask_after: Some(after),
        bits_set: Some(after.minus(before).bits().collect()),
        bits_cleared: Some(before.minus(after).bits().collect()),
        ..Taint::default()
    }
}

/// A module whose init function runs next.
pub(super) fn module_coming(table: &Table, coming: &wire::ModuleComing) -> Module {
    let field = |bytes: &[u8]| Some(text(bytes)).filter(|text| !text.is_empty());
    Module {
        name: field(&coming.name),
        version: field(&coming.version),
        srcversion: field(&coming.srcversion),
        taints: letters(table, coming.taints),
        ..Module::default()
    }
}

pub(super) fn letters(table: &Table, taints: u64) -> Option<String> {
    (taints != 0).then(|| table.letters(Mask(taints)))
}

/// `ENOENT`; a number that has no name stays one.
pub(super) fn errno(result: i64) -> String {
    let number = i32::try_from(-result).unwrap_or(0);
    match nix::errno::Errno::from_raw(number) {
        nix::errno::Errno::UnknownErrno => number.to_string(),
        known => format!("{known:?}"),
    }
}

/// The context that the CPU ran in: by its preemption counter, else by a stack that proves it.
pub(super) fn known_context(counted: u32, frames: &[Frame]) -> Option<Context> {
    match counted {
        context::TASK => Some(Context::Task),
        context::SOFTIRQ => Some(Context::Softirq),
        context::HARDIRQ => Some(Context::Hardirq),
        context::NMI => Some(Context::Nmi),
        _ => by_stack(frames),
    }
}

/// A stack that begins at a system call, whole, without an interrupt in between.
fn by_stack(frames: &[Frame]) -> Option<Context> {
    let served = |frame: &Frame| {
        frame
            .function()
            .is_none_or(|name| INTERRUPTS.iter().any(|begin| name.starts_with(begin)))
    };
    let from_syscall = frames.iter().any(|frame| frame.is_one_of(&SYSCALL_ENTRIES));
    (from_syscall && !frames.iter().any(served)).then_some(Context::Task)
}

/// The number that was written to the sysctl: a mask of flags to set.
pub(super) fn written_mask(bytes: &[u8]) -> Option<Mask> {
    let text = text(bytes);
    // The kernel's `isspace` knows the vertical tab, too (`lib/ctype.c`).
    let is_blank = |character: char| character.is_ascii_whitespace() || character == '\x0b';
    let mut words = text.split(is_blank).filter(|word| !word.is_empty());
    let word = words.next()?;
    let hexadecimal = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
    // `proc_doulongvec_minmax` takes what `simple_strtoul` takes with base 0 (kernel/sysctl.c).
    let octal = word.strip_prefix('0').filter(|rest| !rest.is_empty());
    let value = match (hexadecimal, octal) {
        (Some(digits), _) => u64::from_str_radix(digits, 16),
        (None, Some(digits)) => u64::from_str_radix(digits, 8),
        (None, None) => word.parse(),
    };
    value.ok().map(Mask)
}

#[cfg(test)]
mod tests {
    use super::{super::symbol::Symbol, *};

    #[test]
    fn reads_what_is_written_to_the_sysctl() {
        for (text, expected) in [
            ("64\n", Some(64)),
            ("0x40", Some(64)),
            ("0100\n", Some(64)),
            ("0\n", Some(0)),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(
                written_mask(text.as_bytes()),
                expected.map(Mask),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_stack_proves_a_task_only_without_an_interrupt() {
        let frame = |function: &str| Frame {
            address: 1,
            symbol: Some(Symbol::new(function, 1, None)),
        };
        let call = [frame("load_module"), frame("do_syscall_64")];
        assert_eq!(known_context(0, &call), Some(Context::Task));
        let interrupted = [
            frame("f"),
            frame("asm_sysvec_call_function"),
            frame("do_syscall_64"),
        ];
        assert_eq!(known_context(0, &interrupted), None);
        let unknown = [
            Frame {
                address: 1,
                symbol: None,
            },
            frame("do_syscall_64"),
        ];
        assert_eq!(known_context(0, &unknown), None);
        assert_eq!(known_context(context::NMI, &call), Some(Context::Nmi));
    }
}
