//! What is known of a log besides its lines: the machine, the boot, the vendor.

use jiff::Timestamp;

use super::Finding;
use crate::{
    event::Source,
    taint::{
        release,
        tables::{LINUX, Table},
    },
};

/// What is known of a log besides its lines.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The layer that the events name: `log`, or `crash`.
    pub source: Source,
    /// The machine's id; a name that the log has is no id.
    pub host: Option<String>,
    /// The boot that the log is of, when it is of one.
    pub boot_id: Option<String>,
    /// When that boot was, for lines that have only a time since the boot.
    pub booted: Option<Timestamp>,
    /// The vendor of the kernel, when the user chose one; else the log's own releases show it.
    pub table: Option<&'static Table>,
}

impl Origin {
    /// The flags of the kernel that printed a finding.
    pub(super) fn table_of(&self, finding: &Finding) -> &'static Table {
        self.table.or(own_table(finding)).unwrap_or(LINUX)
    }
}

/// By the release of the boot, or of the report.
pub(super) fn own_table(finding: &Finding) -> Option<&'static Table> {
    let releases = [&finding.boot.release, &finding.facts.release];
    releases
        .into_iter()
        .flatten()
        .find_map(|release| release::table_of(release))
}

impl Default for Origin {
    fn default() -> Self {
        Self {
            source: Source::Log,
            host: None,
            boot_id: None,
            booted: None,
            table: None,
        }
    }
}
