//! Events of one boot whose place in its order is known.

use crate::{
    event::Event,
    klog::{Finding, LoggedBoot},
};

/// Events of one boot whose place in its order is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    pub host: Option<String>,
    pub boot: LoggedBoot,
    pub events: Vec<Event>,
    /// Flags that a line says were set, and that a state which the kernel printed later shows as clear.
    pub denied: Vec<u32>,
}

impl Settled {
    /// Of the boot of a finding, still without events.
    pub(super) fn of(finding: &Finding) -> Self {
        Self {
            host: finding.host.clone(),
            boot: finding.boot.clone(),
            events: Vec::new(),
            denied: Vec::new(),
        }
    }
}
