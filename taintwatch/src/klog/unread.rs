//! Lines that speak of a taint and were not understood.
//!
//! In: lines that gave nothing. Out: how many of them hold words that only a tainted or a failing kernel prints, and
//! where the first stand: nothing is said to be clean for a line that nobody could read.

use super::{
    marks::{LOCKDEP_OFF, MODULES, UNLOADED},
    modules::has_flags,
};
use crate::taint::{log::TaintLine, text};

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
        let mut unread = Unread::default();
        (1..100).for_each(|number| unread.add(number));
        assert_eq!((unread.count, unread.first.len()), (99, MOST));
    }
}
