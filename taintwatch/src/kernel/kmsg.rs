//! The kernel log, from `/dev/kmsg`.
//!
//! In: records as the kernel keeps them (`Documentation/ABI/testing/dev-kmsg`). Out: lines with their
//! sequence and time, in order. What the kernel overwrote before it was read is a gap.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::OpenOptionsExt as _,
};

/// Where the kernel shows its log.
pub const PATH: &str = "/dev/kmsg";
/// The kernel writes no longer record (`CONSOLE_EXT_LOG_MAX` and its successors are 8 KiB).
const RECORD: usize = 8192;

/// One record of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The kernel's own number of the record; none is left out.
    pub seq: u64,
    /// When it was written, on the scheduler's clock: microseconds since the boot, suspends left out.
    pub time_us: u64,
    /// The task (`T77`) or the CPU in an interrupt (`C1`) that wrote it; kernels with `CONFIG_PRINTK_CALLER`.
    pub caller: Option<String>,
    /// Its text, control characters as the kernel escapes them.
    pub text: String,
}

/// What a read gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Line(Line),
    /// Records were overwritten before they were read.
    Gap,
    /// Nothing more for now.
    End,
}

/// Follows the numbers of records.
#[derive(Debug, Default)]
pub struct Sequence {
    next: Option<u64>,
}

impl Sequence {
    /// How many records are missing before this one, the first of all excepted.
    pub fn missing_before(&mut self, line: &Line) -> u64 {
        let expected = self.next.replace(line.seq.saturating_add(1));
        line.seq.saturating_sub(expected.unwrap_or(line.seq))
    }
}

/// An open log.
#[derive(Debug)]
pub struct Kmsg {
    file: File,
}

/// From which record on to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The oldest that the kernel has.
    Oldest,
    /// The next that will be written.
    Now,
}

impl Kmsg {
    /// Opens the log; `kernel.dmesg_restrict` lets only `CAP_SYSLOG` do that.
    pub fn open(from: From) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(PATH)?;
        if from == From::Now {
            file.seek(SeekFrom::End(0))?;
        }
        Ok(Self { file })
    }

    /// The next record, without waiting.
    pub fn read(&mut self) -> io::Result<Next> {
        let mut record = [0; RECORD];
        loop {
            match self.file.read(&mut record) {
                Ok(len) => match parse(record.get(..len).unwrap_or_default()) {
                    Some(line) => return Ok(Next::Line(line)),
                    // Not a record in the known form: the next one may be.
                    None if len > 0 => {}
                    None => return Ok(Next::End),
                },
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN) => return Ok(Next::End),
                    Some(libc::EPIPE) => return Ok(Next::Gap),
                    Some(libc::EINTR) => {}
                    _ => return Err(error),
                },
            }
        }
    }
}

impl std::os::fd::AsRawFd for Kmsg {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.file.as_raw_fd()
    }
}

/// `PRIORITY,SEQ,MICROSECONDS,FLAGS[,caller=…];TEXT`, and lines with more fields behind.
#[must_use]
pub fn parse(record: &[u8]) -> Option<Line> {
    let record = String::from_utf8_lossy(record);
    let (prefix, rest) = record.split_once(';')?;
    let mut fields = prefix.split(',');
    let _priority = fields.next()?;
    let seq = fields.next()?.parse().ok()?;
    let time_us = fields.next()?.parse().ok()?;
    let caller = fields
        .find_map(|field| field.strip_prefix("caller="))
        .map(str::to_owned);
    let text = rest.split('\n').next()?.to_owned();
    Some(Line {
        seq,
        time_us,
        caller,
        text,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn takes_a_record_apart() {
        let line = parse(b"4,1023,5234112,-,caller=T88;tw: hello; world\n SUBSYSTEM=x\n").unwrap();
        assert_eq!((line.seq, line.time_us), (1023, 5_234_112));
        assert_eq!(line.caller.as_deref(), Some("T88"));
        assert_eq!(line.text, "tw: hello; world");
        assert_eq!(parse(b"garbage"), None);
    }

    #[test]
    fn numbers_that_are_left_out_are_missing() {
        let at = |seq: u64| parse(format!("6,{seq},1,-;x").as_bytes()).unwrap();
        let mut sequence = Sequence::default();
        let missing = [7, 8, 12, 13].map(|seq| sequence.missing_before(&at(seq)));
        assert_eq!(missing, [0, 0, 3, 0]);
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) { _ = parse(&bytes); }
    }
}
