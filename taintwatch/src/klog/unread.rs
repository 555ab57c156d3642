//! Lines that speak of a taint and were not understood.
//!
//! In: lines that gave nothing. Out: how many of them hold words that only a tainted or a failing kernel prints, and
//! where the first stand: no log with a line that was not understood is said to be clean.

use super::{
    marks::{CUT_HERE, END, LOCKDEP_OFF, MODULES, PANIC, UNLOADED, may_matter},
    modules::has_flags,
};
use crate::taint::{flags::bit, log::TaintLine, text};

/// So many of them are named.
const MOST: usize = 8;

/// How many lines, and the numbers of the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    pub count: u64,
    pub first: Vec<u64>,
}

impl Unread {
    pub(super) fn add(&mut self, number: u64) {
        // A line can hold several records.
        if self.first.contains(&number) {
            return;
        }
        self.count += 1;
        if self.first.len() < MOST {
            self.first.push(number);
        }
    }
}

/// Whether a line that may be anybody's holds words of a tainted or a failing kernel.
pub(super) fn speaks(text: &str) -> bool {
    let has = |word: &str| memchr::memmem::find(text.as_bytes(), word.as_bytes()).is_some();
    says_tainted(text)
        || has("Oops")
        || (has("BUG: ") && !text.trim_start().starts_with("BUG: "))
        || has_flags(text)
}

/// Whether a line whose writer is not known is about a taint in words that no kernel prints: those of people and of their
/// tools, `kernel.tainted = 4097`, `Kernel tainting module (is: x:OE)`.
pub(super) fn tells(text: &str) -> bool {
    // What systemd says of itself, and of what no flag is set.
    const OTHER: [&str; 3] = ["ystem is tainted", "ntainted", "ot tainted"];
    if !["aint", "AINT"].iter().any(|part| text.contains(part)) {
        return false;
    }
    let lower = text.to_ascii_lowercase();
    let mut words = lower.match_indices("taint").map(|(at, _)| at);
    let is_none = lower.ends_with("tainted = 0") || lower.ends_with("tainted=0");
    let is_word = |at: usize| {
        lower
            .get(..at)
            .is_some_and(|before| !before.ends_with(is_letter))
    };
    words.any(is_word) && !is_none && !OTHER.iter().any(|other| lower.contains(other))
}

/// Whether a line is about the crash for which a dump was written.
pub(super) fn is_crash(text: &str) -> bool {
    let is_die = |line: TaintLine| line.bit == bit::DIE;
    may_matter(text.as_bytes())
        && (text.contains(PANIC) || TaintLine::parse(text).is_some_and(is_die))
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic()
}

/// Whether more than one record of the kernel's stands in a line that was not divided: the first alone is read.
pub(super) fn hides_more(text: &str) -> bool {
    const BEGINNINGS: [&str; 4] = [CUT_HERE, MODULES, "WARNING: CPU: ", END];
    let hides = |mark: &str| {
        let found = memchr::memmem::rfind(text.as_bytes(), mark.as_bytes());
        found.is_some_and(|at| at > 0)
    };
    let behind = || text.split_once("\\n").map(|(_, behind)| behind);
    // Most lines hold none of their words.
    may_matter(text.as_bytes())
        && (BEGINNINGS.into_iter().any(hides) || behind().is_some_and(speaks))
}

/// Whether a line of the kernel's own says that it is tainted, and is none of those that are known.
pub(super) fn is_unknown(text: &str) -> bool {
    says_tainted(text) && !is_understood(text)
}

pub(super) fn is_understood(text: &str) -> bool {
    TaintLine::parse(text).is_some()
        || text::line(text).is_some()
        || [LOCKDEP_OFF, MODULES, UNLOADED]
            .iter()
            .any(|mark| text.contains(mark))
}

fn says_tainted(text: &str) -> bool {
    const WORDS: [&str; 5] = [
        "Tainted: ",
        "taints kernel",
        "taints the kernel",
        "tainting kernel",
        "kernel tainted",
    ];
    memchr::memmem::find(text.as_bytes(), b"aint").is_some()
        && WORDS.iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_understood_is_no_doubt() {
        for text in [
            "a foo: loading out-of-tree module taints kernel.",
            "x Oops",
            "a BUG: b",
            "nvidia(POE) x",
        ] {
            assert!(speaks(text) && !is_understood(text), "{text}");
        }
        assert!(is_unknown("acme: this option taints kernel"));
        for text in [
            "foo: loading out-of-tree module taints kernel.",
            "usb 1-1: new",
            "BUG: workqueue lockup",
            LOCKDEP_OFF,
        ] {
            assert!(!is_unknown(text), "{text}");
        }
        for text in [
            "kernel.tainted = 4097",
            "Kernel tainting module (is: x:OE)",
            "your kernel has been tainted (flags:GBDL)",
        ] {
            assert!(tells(text) && !speaks(text), "{text}");
        }
        for text in [
            "kernel.tainted = 0",
            "systemd[1]: System is tainted: unmerged-usr",
            "the OS kernel is not tainted",
            "an untainted kernel",
            "Stainting is a word of nobody's",
        ] {
            assert!(!tells(text), "{text}");
        }
        assert!(hides_more(
            "x: module license 'X' taints kernel. ------------[ cut here ]------------"
        ));
        assert!(hides_more("x: module license 'X' taints kernel.\\nOops"));
        assert!(!hides_more("Modules linked in: x(OE)") && !hides_more(CUT_HERE));
        let mut unread = Unread::default();
        (1..100).for_each(|number| unread.add(number));
        assert_eq!((unread.count, unread.first.len()), (99, MOST));
    }

    #[test]
    fn a_dump_is_for_a_panic_or_an_oops() {
        assert!(is_crash("Kernel panic - not syncing: Fatal exception"));
        assert!(is_crash("Oops: 0000 [#1] PREEMPT SMP NOPTI"));
        assert!(!is_crash("WARNING: CPU: 1 PID: 7 at x.c:1 f+0x1/0x2 [m]"));
        assert!(!is_crash("x: loading out-of-tree module taints kernel."));
        assert!(!is_crash("hello"));
    }
}
