//! `journalctl -o export`: the journal as programs pass it on.
//!
//! In: the stream. Out: the kernel's entries, in constant memory.

use std::io::{self, BufRead, Read as _};

use super::{
    super::{Line, line::LONGEST_LINE},
    Entry,
};

/// Whether a stream is one of `-o export`: its first field is one of the journal's own.
pub(in super::super) fn is_export(begin: &[u8]) -> bool {
    begin.starts_with(b"__CURSOR=")
        || begin.starts_with(b"__REALTIME_TIMESTAMP=")
        || begin.starts_with(b"__SEQNUM=")
}

/// Reads a stream of `-o export` (`systemd.io/JOURNAL_EXPORT_FORMATS`) to its end.
pub(in super::super) fn export(
    input: &mut dyn BufRead,
    sink: &mut dyn FnMut(&Line<'_>),
) -> io::Result<u64> {
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

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            _ = exported(&bytes);
            _ = exported(&[&b"A=1\nB\n"[..], &bytes].concat());
        }
    }

    /// What is longer than any line of a kernel is left out, and what is behind it is read.
    #[test]
    fn a_field_that_is_too_long_hides_none_behind_it() {
        for len in [LONGEST_LINE - 4, LONGEST_LINE, 3 * LONGEST_LINE] {
            let long = format!(
                "__CURSOR=s=1\nA={}\n_TRANSPORT=kernel\nMESSAGE=x\n\n",
                "a".repeat(len)
            );
            let mut bytes = long.clone().into_bytes();
            assert_eq!(exported(&bytes), [("x".to_owned(), None, None)], "{len}");
            bytes = b"__CURSOR=s=1\n_TRANSPORT=kernel\nA\n".to_vec();
            bytes.extend((len as u64).to_le_bytes());
            bytes.extend("a".repeat(len).as_bytes());
            bytes.extend(b"\nMESSAGE=x\n\n");
            assert_eq!(exported(&bytes), [("x".to_owned(), None, None)], "{len}");
        }
        let mut line = Vec::new();
        let text = format!("{}\nnext", "a".repeat(2 * LONGEST_LINE));
        let read = bounded_line(&mut text.as_bytes(), &mut line).unwrap();
        assert_eq!(read, 2 * LONGEST_LINE as u64 + 1);
        assert_eq!(line.len(), LONGEST_LINE);
    }

    #[test]
    fn each_field_that_can_come_first_shows_the_form() {
        for begin in ["__CURSOR=s", "__REALTIME_TIMESTAMP=1", "__SEQNUM=1"] {
            assert!(is_export(begin.as_bytes()), "{begin}");
        }
        assert!(!is_export(b"MESSAGE=x"));
    }

    #[test]
    fn all_bytes_are_counted() {
        let mut bytes = b"__CURSOR=s=1\n_TRANSPORT=kernel\nMESSAGE\n".to_vec();
        bytes.extend(3_u64.to_le_bytes());
        bytes.extend(b"a\nb\nA=1\n\n__CURSOR=s=2\n\n");
        let read = export(&mut &bytes[..], &mut |_| ()).unwrap();
        assert_eq!(read, bytes.len() as u64);
    }

    #[test]
    fn a_line_that_just_fits_hides_none_behind_it() {
        let text = format!("{}\nnext\n", "a".repeat(LONGEST_LINE - 1));
        let mut line = Vec::new();
        let read = bounded_line(&mut text.as_bytes(), &mut line).unwrap();
        assert_eq!((read, line.len()), (LONGEST_LINE as u64, LONGEST_LINE));
    }

    #[test]
    fn an_end_is_none_and_a_failure_is_one() {
        struct Broken;
        impl io::Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        assert!(!read_whole(&mut &b"1234567"[..], &mut [0; 8]).unwrap());
        assert!(read_whole(&mut &b"12345678"[..], &mut [0; 8]).unwrap());
        assert!(read_whole(&mut io::BufReader::new(Broken), &mut [0; 8]).is_err());
    }
}
