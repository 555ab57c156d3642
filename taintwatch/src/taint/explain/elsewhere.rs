//! What the same letter or bit means on other vendors' kernels.

use crate::taint::{
    flags::{self, Flag},
    tables::{TABLES, Table},
};

/// One text for each meaning, with its vendors.
pub(crate) fn elsewhere(table: &Table, flag: &Flag) -> Vec<String> {
    let mut meanings: Vec<(&Flag, Vec<&str>)> = Vec::new();
    for other in &TABLES {
        let concerns = |found: &&'static Flag| found.letter == flag.letter || found.bit == flag.bit;
        for found in other.flags().filter(concerns) {
            let alike = |one: &Flag| {
                (one.bit, one.letter, one.happened) == (found.bit, found.letter, found.happened)
            };
            if alike(flag) || other.vendor == table.vendor {
                continue;
            }
            match meanings.iter_mut().find(|(one, _)| alike(one)) {
                Some((_, vendors)) => {
                    if other.vendor_of(found.bit) != flags::VENDOR {
                        vendors.push(other.vendor);
                    }
                }
                None => meanings.push((found, vec![other.vendor_of(found.bit)])),
            }
        }
    }
    meanings
        .iter()
        .map(|(found, vendors)| {
            let vendors = vendors.join(", ");
            format!(
                "{} on {vendors} (bit {}): {}",
                found.letter, found.bit, found.happened
            )
        })
        .collect()
}
