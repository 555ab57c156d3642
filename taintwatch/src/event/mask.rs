//! The taint state as a number.

use std::fmt;

use schemars::{JsonSchema, json_schema};
use serde::{Deserialize, Serialize};

/// The kernel's taint state, one bit a flag; in JSON a hexadecimal string such as `"0x1201"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mask(pub u64);

impl Mask {
    /// The numbers of the set bits, lowest first.
    pub fn bits(self) -> impl Iterator<Item = u32> {
        (0..u64::BITS).filter(move |bit| self.has(*bit))
    }

    #[must_use]
    pub const fn has(self, bit: u32) -> bool {
        bit < u64::BITS && self.0 >> bit & 1 == 1
    }

    #[must_use]
    pub const fn with(self, bit: u32) -> Self {
        if bit < u64::BITS {
            Self(self.0 | 1 << bit)
        } else {
            self
        }
    }

    /// The bits that are set here and clear in `other`.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl JsonSchema for Mask {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Mask".into()
    }

    fn json_schema(_generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        json_schema!({
            "description": "The taint state: a hexadecimal number with one bit a flag.",
            "type": "string",
            "pattern": "^0x[0-9a-f]{1,16}$",
            "examples": ["0x1201"],
        })
    }
}

impl Serialize for Mask {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mask {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        u64::from_str_radix(digits, 16)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}
