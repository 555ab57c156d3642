//! What changed in the taint state.

use serde::{Deserialize, Serialize};

use super::Mask;

/// What changed in the mask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taint {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub letter: Option<char>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The vendor whose table gave `letter` and `name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// The flag was clear before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<bool>,
    /// How many occurrences this record stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask_before: Option<Mask>,
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
    /// Whether it records that this flag was set, alone or among others.
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
