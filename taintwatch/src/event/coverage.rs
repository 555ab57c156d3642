//! What changed in the monitoring itself, and which records were lost.

use serde::{Deserialize, Serialize};

use super::Mask;

/// A change of the monitoring itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    pub state: CoverageState,
    pub reason: String,
    /// The monitored kernel, as `uname -r` prints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The mask when monitoring began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<Mask>,
    /// Whether traps were seen to reach the program of the mask watch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub self_test: Option<String>,
    /// Each layer, and the mechanism that was chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Hook>,
}

/// Which change it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoverageState {
    Began,
    Ended,
    Degraded,
}

/// One layer of the monitoring, as it is attached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// `mask_watch`, `taint_entry`, `module_load` …
    pub layer: String,
    /// What was chosen: `breakpoint`, `fentry`, `kprobe` … Absent when nothing could be attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<String>,
    /// Why a better mechanism, or any, could not be attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Records that did not reach userspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    pub count: u64,
    pub reason: String,
    /// What was lost with them: `detail` of occurrences that are counted all the same, or whole events.
    #[serde(default)]
    pub what: String,
    /// From when on, `CLOCK_BOOTTIME`: the last check that found none lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_ns: Option<u64>,
}

impl Lost {
    /// Only detail is lost: the occurrences are counted all the same.
    #[must_use]
    pub const fn is_detail(&self) -> bool {
        matches!(self.what.as_bytes(), b"detail")
    }
}
