//! A number of bytes as people write it.
//!
//! In: `512 MiB`, `2 GB`, `1048576`. Out: bytes, and the same text again.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// By letter, as IEC 80000-13 and the SI have them.
const UNITS: [(&str, u64); 9] = [
    ("", 1),
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];
/// What is smaller has no room for a boot.
const LEAST: u64 = 1 << 20;

/// A size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size {
    text: String,
    bytes: u64,
}

impl Size {
    pub(super) fn mib(number: u64) -> Self {
        Self {
            text: format!("{number} MiB"),
            bytes: number << 20,
        }
    }

    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let end = text.find(|letter: char| !letter.is_ascii_digit());
        let (number, unit) = text.split_at(end.unwrap_or(text.len()));
        let unit = UNITS.iter().find(|(name, _)| *name == unit.trim());
        let bytes = unit.and_then(|(_, unit)| number.parse::<u64>().ok()?.checked_mul(*unit));
        let bytes = bytes.ok_or("give a size as \"512 MiB\", \"2 GB\" or \"0\" for none")?;
        if bytes > 0 && bytes < LEAST {
            return Err("give at least \"1 MiB\", or \"0\" for no limit");
        }
        Ok(Self {
            text: text.to_owned(),
            bytes,
        })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        String::deserialize(value)?
            .parse()
            .map_err(D::Error::custom)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("512 MiB", 512 << 20),
            ("2GB", 2_000_000_000),
            ("1048576", 1 << 20),
            ("0", 0),
            ("3 TiB", 3 << 40),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!((size.bytes(), size.to_string()), (bytes, text.to_owned()));
        }
        for text in [
            "",
            "MiB",
            "1 mib",
            "-1",
            "1.5 GiB",
            "99999999999 TiB",
            "5",
            "1000 kB",
        ] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
