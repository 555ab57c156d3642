//! What changed in the taint state.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Mask;

/// What changed in the mask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Taint {
    /// The number of the flag's bit in the mask. Absent when it is unknown which flag it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 63))]
    pub bit: Option<u32>,
    /// The kernel's letter for it: `P`. Absent for a bit without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub letter: Option<char>,
    /// The kernel's name for it, without `TAINT_`: `PROPRIETARY_MODULE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The vendor whose table gave `letter` and `name`: `linux` for upstream flags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// The flag was clear before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<bool>,
    /// How many occurrences this event stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The mask before the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask_before: Option<Mask>,
    /// The mask after the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask_after: Option<Mask>,
    /// For `mask_write`: the bits that became set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_set: Option<Vec<u32>>,
    /// For `mask_write`: the bits that became clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_cleared: Option<Vec<u32>>,
}

impl Taint {
    /// Whether a flag was set, alone or among others.
    #[must_use]
    pub fn sets(&self, bit: u32) -> bool {
        self.set().any(|set| set == bit)
    }

    /// The flags that were set.
    pub fn set(&self) -> impl Iterator<Item = u32> {
        let many = self.bits_set.iter().flatten().copied();
        self.bit.into_iter().chain(many)
    }
}
