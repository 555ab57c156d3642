//! Findings that are held until a state of the kernel follows them.

use super::claims::Claim;
use crate::klog::Finding;

/// A finding whose flags no state has confirmed.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) finding: Finding,
    /// What it shows of the time before it is known already: only its own flags are open.
    pub(super) state_taken: bool,
}

impl Held {
    pub(super) fn new(finding: Finding) -> Self {
        Self {
            finding,
            state_taken: false,
        }
    }

    pub(super) fn with_state(finding: Finding) -> Self {
        Self {
            finding,
            state_taken: true,
        }
    }
}

/// A finding whose flags are decided now.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) held: Held,
    pub(super) claims: Vec<Claim>,
    /// Flags that it says were set, and the state denies.
    pub(super) denied: Vec<u32>,
}

impl Open {
    pub(super) fn new(held: Held, claims: Vec<Claim>) -> Self {
        Self {
            held,
            claims,
            denied: Vec::new(),
        }
    }
}

/// How much a finding takes, at least 1.
pub(super) fn bytes(finding: &Finding) -> usize {
    let lines: usize = finding.lines.iter().map(|line| line.len() + 24).sum();
    // The facts name what the lines do.
    1 + 2 * lines
}
