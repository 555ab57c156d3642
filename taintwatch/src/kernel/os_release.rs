//! The vendor of this machine's kernel.
//!
//! In: `/etc/os-release`, `uname -r`. Out: the table of the vendor's flags, or none where the vendor is not certain.

use std::fs;

use super::identity;
use crate::taint::{tables::Table, vendor};

/// The table of this machine's kernel, when its release or os-release shows the vendor. An absent file is no error.
#[must_use]
pub fn vendor_table() -> Option<&'static Table> {
    let release = identity::release().unwrap_or_default();
    let os_release = fs::read_to_string("/etc/os-release")
        .or_else(|_absent| fs::read_to_string("/usr/lib/os-release"))
        .unwrap_or_default();
    vendor::of_machine(&os_release, &release)
}
