//! Texts that only a kernel prints.
//!
//! In: a text that may begin with any words. Out: whether it begins as a kernel's does, so surely that its line is a
//! kernel's whatever stands in front of it.

use super::marks::{
    ARM_CUT_HERE, BOOT, CFI, CUT_HERE, LOCKDEP_OFF, MODULES, PANIC, UNLOADED, may_matter,
};
use crate::taint::{
    log::{Printer, TaintLine},
    text,
};

/// Beginnings of reports that are also common English.
const COMMON: [&str; 5] = [
    "Oops: ",
    "Oops - ",
    "Internal error: ",
    "Bad page state",
    "Unable to handle paging request",
];

/// `---[ end trace 0000000000000000 ]---`, `---[ end Kernel panic - not syncing: …`.
const END: &str = "---[ end ";

pub(super) fn is_certain(text: &str) -> bool {
    const MARKS: [&str; 8] = [
        CUT_HERE,
        ARM_CUT_HERE,
        END,
        LOCKDEP_OFF,
        PANIC,
        MODULES,
        UNLOADED,
        CFI,
    ];
    if !may_matter(text.as_bytes()) {
        return text.starts_with(END) || text.starts_with(ARM_CUT_HERE);
    }
    MARKS.iter().any(|mark| text.starts_with(mark))
        || is_banner(text)
        || is_state(text)
        || TaintLine::parse(text).is_some_and(|line| is_own(&line, text))
}

/// `Linux version 6.1.0-50-amd64 (…`.
fn is_banner(text: &str) -> bool {
    let release = text.strip_prefix(BOOT);
    release.is_some_and(|release| release.starts_with(|first: char| first.is_ascii_digit()))
}

/// `CPU: 1 PID: 7 Comm: …`, `Pid: 7, comm: …`.
fn is_state(text: &str) -> bool {
    (text.starts_with("CPU: ") || text.starts_with("Pid: ")) && text::line(text).is_some()
}

/// What stands in front of the number of an oops (`arch/x86/kernel/traps.c`); anything may stand in front of that.
const TRAPS: [&str; 20] = [
    "Oops",
    "Internal error: ",
    "Unable to handle ",
    "Unhandled ",
    "Kernel ",
    "kernel BUG at ",
    "general protection fault",
    "invalid opcode",
    "int3",
    "divide error",
    "stack segment",
    "double fault",
    "invalid TSS",
    "segment not present",
    "alignment check",
    "Bad pagetable",
    "bounds",
    "simd exception",
    "control protection",
    "traps: ",
];

/// A text that may stand anywhere in a line does not show where it begins.
fn is_own(line: &TaintLine, text: &str) -> bool {
    if !line.report {
        return line.printer == Printer::Loader;
    }
    if text.contains("[#") {
        return TRAPS.iter().any(|trap| text.starts_with(trap)) || text.starts_with("BUG: ");
    }
    !COMMON.iter().any(|common| text.starts_with(common))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_english_is_not_certain() {
        for text in [
            "kernel BUG at kernel/cred.c:103!",
            "foo: loading out-of-tree module taints kernel.",
            "Modules linked in: a",
            "CPU: 1 PID: 7 Comm: x Not tainted 6.1.0 #1",
            "Oops: 0002 [#1] SMP",
            "WARNING: CPU: 1 PID: 7 at a.c:1 f+0x1/0x2",
            "Linux version 6.1.0 (a@b)",
            CUT_HERE,
            "---[ end trace 0000000000000000 ]---",
        ] {
            assert!(is_certain(text), "{text}");
        }
        for text in [
            "Oops: the database is gone",
            "Internal error: 7",
            "WARNING: low on disk",
            "x: Setting dangerous option y",
            "a foo: loading out-of-tree module taints kernel.",
            "Linux version of the program",
            "web1 kernel: Oops: 0002 [#1] SMP",
            "kernel: invalid opcode: 0000 [#1] SMP",
        ] {
            assert!(!is_certain(text), "{text}");
        }
    }
}
