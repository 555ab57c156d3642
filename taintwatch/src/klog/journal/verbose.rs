//! One entry of `journalctl -o verbose`: a line with its time and its cursor, and a line for each field.
//!
//! In: those lines. Out: the entry, when it is the kernel's.

use super::{super::line::LONGEST_LINE, Entry};

#[derive(Debug, Default)]
pub(super) struct Fields {
    entry: Entry,
    /// The last of them was the message.
    is_message: bool,
}

impl Fields {
    /// `Tue 2026-11-24 12:00:00.123456 UTC [s=…;i=…;b=…;m=…;t=…;x=…]`: the cursor has the boot, and both times in
    /// hexadecimal microseconds.
    pub(super) fn below(line: &str) -> Option<Self> {
        let (_, cursor) = line.strip_suffix(']')?.split_once(" [s=")?;
        let micros = |value| i64::from_str_radix(value, 16).ok();
        let mut entry = Entry::default();
        for (name, value) in cursor.split(';').filter_map(|part| part.split_once('=')) {
            match name {
                "b" => entry.boot_id = Some(value.to_owned()),
                "m" => entry.monotonic = micros(value).and_then(|micros| micros.try_into().ok()),
                "t" => entry.realtime = micros(value),
                _ => {}
            }
        }
        let is_message = false;
        entry
            .boot_id
            .is_some()
            .then_some(Self { entry, is_message })
    }

    /// `    NAME=VALUE`; what goes on below is indented as far as the value.
    pub(super) fn take(&mut self, line: &str) {
        let is_name = |name: &str| {
            name.bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        };
        let indented = line.strip_prefix("    ").unwrap_or_default();
        if let Some((name, value)) = indented.split_once('=')
            && is_name(name)
        {
            self.is_message = name == "MESSAGE";
            self.entry.set(name, value.to_owned());
        } else if let Some(more) = indented.strip_prefix("        ")
            && let Some(message) = self.entry.message.as_mut().filter(|_| self.is_message)
            && message.len() + more.len() < LONGEST_LINE
        {
            message.push('\n');
            message.push_str(more);
        }
    }

    pub(super) fn end(self) -> Option<Entry> {
        Some(self.entry).filter(Entry::is_kernels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_has_the_boot_and_both_times() {
        let fields =
            Fields::below("Di 2026-11-24 13:00:00 CET [s=0a;i=1;b=4f;m=10;t=6613e8c7b6240;x=3]")
                .unwrap();
        let line = fields.entry.line();
        assert_eq!(line.boot_id, Some("4f"));
        assert_eq!(line.since_boot, Some(16_000));
        assert_eq!(
            line.wall.map(jiff::Timestamp::as_microsecond),
            Some(0x6_613e_8c7b_6240)
        );
        assert!(Fields::below("Tue 2026-11-24 12:00:00 UTC [s=0a]").is_none());
    }
}
