//! Changes of the coverage, and records that were lost.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Mask, Time};

/// A change of the coverage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// What changed.
    pub state: CoverageState,
    /// Why it changed, for people.
    pub reason: String,
    /// The kernel's release, as `uname -r` prints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The mask when monitoring began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<Mask>,
    /// `CLOCK_BOOTTIME`, nanoseconds, since when the eBPF programs have been attached without a break, where a daemon
    /// took over what an earlier one had attached: what happened while none ran was in the ring buffer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attached_since_ns: Option<u64>,
    /// Whether traps of the watchpoint reached their program on every CPU, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub self_test: Option<String>,
    /// A time that is over, in which some CPUs had no watchpoint on the mask: found afterwards. `state` is that of now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unwatched: Option<Unwatched>,
    /// Each layer, and the mechanism that was chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Hook>,
}

/// A time in which writes to the mask by some CPUs could go unseen. Calls of `add_taint` were seen by their hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unwatched {
    /// The numbers of the CPUs.
    pub cpus: Vec<u32>,
    /// The first moment that is not known to have been watched.
    pub from: Time,
    /// When the watchpoints were set again.
    pub to: Time,
    /// `from` on `CLOCK_BOOTTIME`, nanoseconds.
    pub from_ns: u64,
    /// `to` on `CLOCK_BOOTTIME`, nanoseconds.
    pub to_ns: u64,
}

/// Which change it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CoverageState {
    /// Monitoring began, with every layer.
    Began,
    /// Monitoring ended.
    Ended,
    /// Monitoring goes on without some layer, or began so.
    Degraded,
}

/// One layer of the monitoring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hook {
    /// `mask_watch`, `taint_entry`, `module_load` … `taintwatch check` lists them.
    pub layer: String,
    /// What was chosen: `breakpoint`, `fentry`, `kprobe` … Absent when nothing could be attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<String>,
    /// Why a better mechanism, or any, could not be attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Records that the eBPF programs could not deliver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lost {
    /// How many records.
    pub count: u64,
    /// Why, for people.
    pub reason: String,
    /// What the records held. `detail`: stacks and tasks of occurrences that are counted all the same. Else what was
    /// lost entirely: `module_identity`, `module_load`, `module_unload`, `module_path`, `module_request`,
    /// `process_detail`, `sysctl_write`, `caller_detail` (functions that may have left no frame), `unload_detail` (the
    /// kernel's own copy of a module's name), `log_line` (lines of the
    /// kernel log).
    #[serde(default)]
    pub what: String,
    /// `CLOCK_BOOTTIME`, nanoseconds, of the last check that found none lost.
    /// The records were lost between that and the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_ns: Option<u64>,
}

impl Lost {
    /// The reason of a loss that the eBPF programs counted.
    pub(crate) const RING_WAS_FULL: &str = "the ring buffer was full";

    /// Whether the eBPF programs counted it.
    pub(crate) fn is_of_ring(&self) -> bool {
        self.reason == Self::RING_WAS_FULL
    }

    /// Only detail is lost: the occurrences are counted all the same.
    #[must_use]
    pub const fn is_detail(&self) -> bool {
        matches!(self.what.as_bytes(), b"detail")
    }
}
