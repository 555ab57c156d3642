//! The forms in which a line of the kernel is an entry with fields: those of `journalctl`, `dmesg --json`, and of
//! programs that collect logs.
//!
//! In: entries. Out: those with the transport `kernel`, as lines with machine, boot and both times.

mod carried;
mod export;
mod json;
mod unfolded;
mod verbose;

use jiff::Timestamp;

use super::Line;
pub(super) use carried::{Carrier, is_entry};
pub(super) use export::{export, is_export};
pub(super) use json::entry;
pub(super) use unfolded::{Unfolded, could_begin, is_frame};

/// An entry's fields, as far as they matter.
#[derive(Debug, Default)]
pub(super) struct Entry {
    message: Option<String>,
    transport: Option<String>,
    host: Option<String>,
    boot_id: Option<String>,
    realtime: Option<i64>,
    /// When the kernel wrote it, and when the journal got it.
    source: Option<u64>,
    monotonic: Option<u64>,
    caller: Option<String>,
    number: u64,
}

impl Entry {
    fn set(&mut self, name: &str, value: String) {
        match name {
            "MESSAGE" => self.message = Some(value),
            // An entry has one; one with two is forged.
            "_TRANSPORT" if self.transport.is_some() => self.transport = Some(String::new()),
            "_TRANSPORT" => self.transport = Some(value),
            "_HOSTNAME" => self.host = Some(value),
            "_BOOT_ID" => self.boot_id = Some(value),
            "__REALTIME_TIMESTAMP" => self.realtime = value.parse().ok(),
            "_SOURCE_MONOTONIC_TIMESTAMP" => self.source = value.parse().ok(),
            "__MONOTONIC_TIMESTAMP" => self.monotonic = value.parse().ok(),
            "__SEQNUM" => self.number = value.parse().unwrap_or(0),
            _ => {}
        }
    }

    fn is_kernels(&self) -> bool {
        self.transport.as_deref() == Some("kernel") && self.message.is_some()
    }

    pub(super) fn line(&self) -> Line<'_> {
        Line {
            number: self.number,
            since_boot: self
                .source
                .or(self.monotonic)
                .map(|micros| micros.saturating_mul(1000)),
            wall: self
                .realtime
                .and_then(|micros| Timestamp::from_microsecond(micros).ok()),
            host: self.host.as_deref(),
            boot_id: self.boot_id.as_deref(),
            caller: self.caller.as_deref(),
            ..Line::of(self.message.as_deref().unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_gives_all_that_the_journal_knows_of_a_line() {
        let text = r#"{"_TRANSPORT":"kernel","MESSAGE":"x","_HOSTNAME":"web1","_BOOT_ID":"ab","__SEQNUM":"7",
            "__REALTIME_TIMESTAMP":"1795516800000000","__MONOTONIC_TIMESTAMP":"1500000"}"#;
        let entry = entry(&text.replace('\n', "")).unwrap();
        let line = Line {
            number: 7,
            since_boot: Some(1_500_000_000),
            wall: Timestamp::from_second(1_795_516_800).ok(),
            host: Some("web1"),
            boot_id: Some("ab"),
            ..Line::of("x")
        };
        assert_eq!(entry.line(), line);
    }
}
