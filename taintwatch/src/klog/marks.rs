//! The marks that divide a kernel log: where a report begins and ends, which lines can be a part of one.
//!
//! In: a line's text. Out: what it is to the report around it. Texts of `kernel/panic.c`, `lib/dump_stack.c` and the
//! `show_regs` of the architectures, 2.6 to 7.3.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::taint::log;

/// What stands before a report, and what ends it.
pub const CUT_HERE: &str = "------------[ cut here ]------------";
pub(super) const ARM_CUT_HERE: &str = "8<--- cut here ---";
pub const END: &str = "---[ end trace ";
pub(super) const PANIC: &str = "Kernel panic - not syncing";
pub(super) const BOOT: &str = "Linux version ";
pub(super) const MODULES: &str = "Modules linked in:";
pub(super) const UNLOADED: &str = "Unloaded tainted modules:";
pub(super) const LOCKDEP_OFF: &str = "Disabling lock debugging due to kernel taint";
pub(super) const CFI: &str = "CFI failure at ";

/// `CPU: 3 `, `CPU#3:`: the CPU that a line names.
#[must_use]
pub fn cpu_of(line: &str) -> Option<u32> {
    number_behind(line, "CPU: ").or_else(|| number_behind(line, "CPU#"))
}

/// The number behind a word, after blanks.
pub(super) fn number_behind(line: &str, word: &str) -> Option<u32> {
    let (_, rest) = line.split_once(word)?;
    let rest = rest.trim_start();
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

/// Whether a line can matter while no report is open. Most do not, and are not checked further.
#[must_use]
pub fn may_matter(text: &[u8]) -> bool {
    // A set of fixed texts can always be built; without it every line is checked.
    static MARKS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
        let own = [PANIC, BOOT, MODULES, UNLOADED, LOCKDEP_OFF, CFI, CUT_HERE];
        AhoCorasick::builder()
            // Of so many texts the default makes a slower one; each line of a log goes through it.
            .kind(Some(AhoCorasickKind::DFA))
            .build(log::marks().chain(own))
            .ok()
    });
    MARKS.as_ref().is_none_or(|marks| marks.is_match(text))
}

/// Beginnings of the lines of reports.
const PARTS: [&str; 83] = [
    "Call Trace",
    "Call trace",
    "Backtrace",
    "Stack",
    "stack",
    "RIP",
    "EIP",
    "RSP",
    "ESP",
    "RAX",
    "RDX",
    "RBP",
    "R10",
    "R13",
    "EAX",
    "ESI",
    "FS:",
    "CS:",
    "DS:",
    "DR",
    "CR",
    "PKRU",
    "Code:",
    "Modules linked in",
    "CPU:",
    "Pid:",
    "PID:",
    "Hardware name",
    "Process",
    "Workqueue",
    "Tainted",
    "<",
    "pc ",
    "pc:",
    "PC ",
    "lr ",
    "LR ",
    "sp ",
    "NIP",
    "MSR:",
    "GPR",
    "CFAR",
    "pstate",
    "x2",
    "x1",
    "x0",
    "x5",
    "x8",
    "Krnl",
    "epc",
    "ra ",
    "$",
    "Hi  ",
    "Lo  ",
    "Status",
    "Cause",
    "BadVA",
    "PrId",
    "Last Breaking",
    "?",
    "irq event",
    "hardirqs",
    "softirqs",
    "Preemption disabled",
    "in_atomic",
    "page",
    "raw:",
    "flags",
    "bad because",
    "Allocated",
    "Freed",
    "The buggy",
    "Memory state",
    "Object",
    "Redzone",
    "Padding",
    "INFO:",
    "Supported:",
    "Kernel Offset",
    "PGD",
    "note:",
    "addr:",
    "Hardware Error",
];

/// Whether a line behind a stack trace can still be of the same report.
pub(super) fn is_part(text: &str) -> bool {
    let text = text.trim_start();
    text.is_empty()
        || text.contains("+0x")
        || text.starts_with(['=', '-', '['])
        || PARTS.iter().any(|part| text.starts_with(part))
}

/// Whether lines are missing here: the kernel's words, and those of systemd-journald.
pub(super) fn is_loss(text: &str) -> bool {
    text.contains(" printk messages dropped **")
        || text.contains("/dev/kmsg buffer overrun, some messages lost")
        || (text.contains("Missed ") && text.ends_with(" kernel messages"))
}

/// Whether a line stands in a stack trace, or begins one.
pub(super) fn is_trace(text: &str) -> bool {
    begins_trace(text) || text.contains("+0x")
}

/// Whether a stack trace begins: its heading, or the mark of one of its stacks where that is lost.
pub(super) fn begins_trace(text: &str) -> bool {
    const BEGINNINGS: [&str; 12] = [
        "Call Trace",
        "Call trace",
        "Backtrace",
        "<IRQ>",
        "</IRQ>",
        "<SOFTIRQ>",
        "<NMI>",
        "</NMI>",
        "<TASK>",
        "<EOI>",
        "<#",
        "<<EOE>>",
    ];
    let text = text.trim_start();
    BEGINNINGS.iter().any(|begin| text.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_missing_where_kernel_or_journal_say_so() {
        for text in [
            "** 220 printk messages dropped **",
            "systemd-journald: /dev/kmsg buffer overrun, some messages lost.",
            "Missed 8 kernel messages",
        ] {
            assert!(is_loss(text), "{text}");
        }
        for text in ["Missed 8 beats", "8 kernel messages", "messages dropped"] {
            assert!(!is_loss(text), "{text}");
        }
    }
}
