//! The journal's own forms: `journalctl -o export` and `-o json`.
//!
//! In: entries. Out: those whose transport is the kernel, as lines with machine, boot and both times.

use std::io::{self, BufRead, Read as _};

use jiff::Timestamp;
use serde_json::Value;

use super::{Line, stream::LONGEST_LINE};

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
    number: u64,
}

impl Entry {
    fn set(&mut self, name: &str, value: String) {
        match name {
            "MESSAGE" => self.message = Some(value),
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
            ..Line::of(self.message.as_deref().unwrap_or_default())
        }
    }
}

/// One line of `-o json`; `None` when it is no entry of the kernel's.
pub(super) fn entry(text: &str) -> Option<Entry> {
    // Most entries are of others; the journal writes the field like this.
    memchr::memmem::find(text.as_bytes(), b"\"kernel\"")?;
    let Value::Object(fields) = serde_json::from_str(text).ok()? else {
        return None;
    };
    let mut entry = Entry::default();
    for (name, value) in &fields {
        // A field that was given twice is a list, one that is no UTF-8 a list of bytes.
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Array(items) if items.iter().all(Value::is_number) => {
                let byte = |item: &Value| u8::try_from(item.as_u64()?).ok();
                let bytes: Option<Vec<u8>> = items.iter().map(byte).collect();
                String::from_utf8_lossy(&bytes?).into_owned()
            }
            Value::Array(items) => items.first()?.as_str()?.to_owned(),
            Value::Number(number) => number.to_string(),
            _ => continue,
        };
        entry.set(name, value);
    }
    entry.is_kernels().then_some(entry)
}

/// Whether a stream is one of `-o export`: its first field is one of the journal's own.
pub(super) fn is_export(begin: &[u8]) -> bool {
    begin.starts_with(b"__CURSOR=")
        || begin.starts_with(b"__REALTIME_TIMESTAMP=")
        || begin.starts_with(b"__SEQNUM=")
}

/// Reads a stream of `-o export` (`systemd.io/JOURNAL_EXPORT_FORMATS`) to its end.
pub(super) fn export(input: &mut dyn BufRead, sink: &mut dyn FnMut(&Line<'_>)) -> io::Result<u64> {
    let mut bytes = 0;
    let mut entry = Entry::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let len = bounded_line(input, &mut line)?;
        bytes += len;
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches('\n');
        if text.is_empty() {
            if entry.is_kernels() {
                sink(&entry.line());
            }
            entry = Entry::default();
        } else if let Some((name, value)) = text.split_once('=') {
            entry.set(name, value.to_owned());
        } else {
            // The name alone: the value's length in eight bytes, then the value.
            let mut size = [0; 8];
            if !read_whole(input, &mut size)? {
                break;
            }
            let size = u64::from_le_bytes(size);
            let mut value = Vec::new();
            let kept = input
                .take(size.min(LONGEST_LINE as u64))
                .read_to_end(&mut value)? as u64;
            let rest = size.saturating_sub(kept).saturating_add(1);
            let skipped = io::copy(&mut input.take(rest), &mut io::sink())?;
            bytes += 8 + kept + skipped;
            entry.set(text, String::from_utf8_lossy(&value).into_owned());
        }
        if len == 0 {
            break;
        }
    }
    Ok(bytes)
}

/// A line up to the limit; what is longer is read and left out.
fn bounded_line(input: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<u64> {
    let mut len = input.take(LONGEST_LINE as u64).read_until(b'\n', line)? as u64;
    while line.len() >= LONGEST_LINE && !line.ends_with(b"\n") {
        let mut rest = Vec::new();
        let more = input
            .take(LONGEST_LINE as u64)
            .read_until(b'\n', &mut rest)? as u64;
        len += more;
        if more == 0 || rest.ends_with(b"\n") {
            break;
        }
    }
    Ok(len)
}

/// `false` when the stream ends before.
fn read_whole(input: &mut dyn BufRead, buffer: &mut [u8]) -> io::Result<bool> {
    match input.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exported(bytes: &[u8]) -> Vec<(String, Option<u64>, Option<String>)> {
        let mut lines = Vec::new();
        export(&mut &bytes[..], &mut |line| {
            lines.push((
                line.text.to_owned(),
                line.since_boot,
                line.boot_id.map(str::to_owned),
            ));
        })
        .unwrap();
        lines
    }

    #[test]
    fn entries_of_the_kernel_are_lines_and_others_are_not() {
        let mut bytes = b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=1795521600000000\n_BOOT_ID=ab\n_TRANSPORT=kernel\n\
            _SOURCE_MONOTONIC_TIMESTAMP=1500000\nMESSAGE\n"
            .to_vec();
        bytes.extend(3_u64.to_le_bytes());
        bytes.extend(b"a\nb\n\n__CURSOR=s=2\n_TRANSPORT=stdout\nMESSAGE=not the kernel\n\n");
        bytes.extend(b"__CURSOR=s=3\n_TRANSPORT=kernel\nMESSAGE=last");
        assert!(is_export(&bytes));
        assert_eq!(
            exported(&bytes),
            [
                (
                    "a\nb".to_owned(),
                    Some(1_500_000_000),
                    Some("ab".to_owned())
                ),
                ("last".to_owned(), None, None)
            ]
        );
    }

    #[test]
    fn json_has_text_or_bytes() {
        let text = |json: &str| entry(json).map(|entry| entry.line().text.to_owned());
        assert_eq!(
            text(r#"{"_TRANSPORT":"kernel","MESSAGE":"a"}"#).as_deref(),
            Some("a")
        );
        assert_eq!(
            text(r#"{"_TRANSPORT":"kernel","MESSAGE":[97,255]}"#).as_deref(),
            Some("a\u{fffd}")
        );
        assert_eq!(
            text(r#"{"_TRANSPORT":"stdout","MESSAGE":"\"kernel\""}"#),
            None
        );
        assert_eq!(text(r#"{"_TRANSPORT":"kernel","MESSAGE":null}"#), None);
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, text: String) {
            _ = exported(&bytes);
            _ = exported(&[&b"A=1\nB\n"[..], &bytes].concat());
            _ = entry(&format!("{{\"kernel\":{text}}}"));
        }
    }
}
