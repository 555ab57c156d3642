//! How each link of a chain is known, by the confidence of the event.
//!
//! In: an event. Out: the evidence of each kind of link, for people.

use crate::event::{Confidence, Event};

/// How the links of an event are known.
pub(super) struct LinkEvidence {
    pub task: &'static str,
    pub file: &'static str,
    pub module: &'static str,
    pub code: &'static str,
    pub flag: &'static str,
}

/// Seen by the hooks.
const OBSERVED: LinkEvidence = LinkEvidence {
    task: "the kernel's own record of the running task",
    file: "the file that the kernel opened",
    module: "the module that the code belongs to",
    code: "the stack, resolved when it happened",
    flag: "a hook in the kernel",
};
/// Read later, in the kernel log.
const LOGGED: LinkEvidence = LinkEvidence {
    task: "the kernel log, which names the running task",
    file: "the kernel log",
    module: "the kernel log, which names it",
    code: "the kernel log, which names the place",
    flag: "the kernel log",
};
/// Read later, in the kernel's list of modules.
const LISTED: LinkEvidence = LinkEvidence {
    module: "the kernel's list of modules, which has the flag beside it",
    flag: "the kernel's list of modules",
    ..LOGGED
};
/// Only the bit is known.
const UNATTRIBUTED: LinkEvidence = LinkEvidence {
    flag: "the bit in the mask, and nothing else",
    ..LOGGED
};

impl LinkEvidence {
    pub(super) fn of(event: &Event) -> &'static Self {
        match event.cause.as_ref().map(|cause| cause.confidence) {
            None | Some(Confidence::Observed) => &OBSERVED,
            Some(Confidence::Logged) => &LOGGED,
            Some(Confidence::Listed) => &LISTED,
            Some(Confidence::Unattributed) => &UNATTRIBUTED,
        }
    }
}
