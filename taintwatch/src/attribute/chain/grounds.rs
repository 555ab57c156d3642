//! What the links of a chain rest on, by how sure the event is.
//!
//! In: an event. Out: the grounds of each kind of link.

use crate::event::{Confidence, Event};

/// What the links of an event rest on.
pub(super) struct Grounds {
    pub task: &'static str,
    pub file: &'static str,
    pub module: &'static str,
    pub code: &'static str,
    pub flag: &'static str,
}

/// Seen by the hooks.
const OBSERVED: Grounds = Grounds {
    task: "the kernel's own record of the running task",
    file: "the file that the kernel opened",
    module: "the module that the code belongs to",
    code: "the stack, resolved when it happened",
    flag: "a hook in the kernel",
};
/// Read afterwards, in what the kernel printed.
const LOGGED: Grounds = Grounds {
    task: "the kernel log, which names the running task",
    file: "the kernel log",
    module: "the kernel log, which names it",
    code: "the kernel log, which names the place",
    flag: "the kernel log",
};
/// Found later, on a list.
const LISTED: Grounds = Grounds {
    module: "the kernel's list of modules, which has the flag beside it",
    flag: "the kernel's list of modules",
    ..LOGGED
};
const UNATTRIBUTED: Grounds = Grounds {
    flag: "the bit in the mask, and nothing else",
    ..LOGGED
};

impl Grounds {
    pub(super) fn of(event: &Event) -> &'static Self {
        match event.cause.as_ref().map(|cause| cause.confidence) {
            None | Some(Confidence::Observed) => &OBSERVED,
            Some(Confidence::Logged) => &LOGGED,
            Some(Confidence::Listed) => &LISTED,
            Some(Confidence::Unattributed) => &UNATTRIBUTED,
        }
    }
}
