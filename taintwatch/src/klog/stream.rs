//! The bytes of a log as lines.
//!
//! In: any bytes. Out: the kernel's lines, one after the other, in constant memory: a line is read up to a limit, and
//! only one that is mangled is copied.

use std::io::{self, BufRead, Read as _};

use memchr::{memchr, memchr_iter, memrchr};

use super::{
    Line, Unread, journal,
    line::LONGEST_LINE,
    lines::{Found, Lines},
    programs::Programs,
};

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    pub bytes: u64,
    /// Lines that the kernel wrote.
    pub lines: u64,
    /// Lines that speak of a taint and were not understood.
    pub unread: Unread,
    /// Lines that speak of a taint, and that a program wrote.
    pub programs: Unread,
}

impl Read {
    fn new(bytes: u64, found: Found) -> Self {
        let Found {
            lines,
            unread,
            programs,
        } = found;
        Self {
            bytes,
            lines,
            unread,
            programs,
        }
    }
}

/// Reads a log to its end.
pub fn read(input: &mut dyn BufRead, sink: &mut dyn FnMut(&Line<'_>)) -> io::Result<Read> {
    let mut lines = Lines::new(sink);
    let mut first = Vec::new();
    input
        .take(LONGEST_LINE as u64)
        .read_until(b'\n', &mut first)?;
    let is_export = journal::is_export(&first);
    let mut input = first.chain(input);
    if is_export {
        let bytes = journal::export(&mut input, &mut |line| lines.give(line))?;
        return Ok(Read::new(bytes, lines.end()));
    }
    let mut stream = Stream {
        lines,
        begun: Vec::new(),
        bytes: 0,
    };
    loop {
        let chunk = match input.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if chunk.is_empty() {
            break;
        }
        let len = chunk.len();
        stream.chunk(chunk);
        input.consume(len);
    }
    Ok(stream.end())
}

struct Stream<'s> {
    lines: Lines<'s>,
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
    bytes: u64,
}

impl Stream<'_> {
    fn chunk(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        let mut begin = 0;
        if !self.begun.is_empty() {
            let end = memchr(b'\n', chunk);
            self.begin(chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default());
            let Some(end) = end else { return };
            let whole = std::mem::take(&mut self.begun);
            self.lines.line(&whole);
            self.begun = whole;
            self.begun.clear();
            begin = end + 1;
        }
        let rest = chunk.get(begin..).unwrap_or_default();
        let end = memrchr(b'\n', rest).map_or(0, |end| end + 1);
        let (whole, part) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        self.whole(whole);
        self.begin(part);
    }

    /// Lines with their ends. Of many lines of programs, one behind the other, the first and the last are enough.
    fn whole(&mut self, chunk: &[u8]) {
        let mut programs = Programs::of(chunk);
        let mut is_idle = false;
        // The last line of a program's, which nothing behind it has shown to be needed.
        let mut last: Option<&[u8]> = None;
        let mut begin = 0;
        for end in memchr_iter(b'\n', chunk) {
            let line = chunk.get(begin..end).unwrap_or_default();
            let is_programs = programs.as_mut().is_some_and(|it| it.has(begin, end));
            begin = end + 1;
            if is_programs && is_idle {
                if let Some(last) = last.replace(line) {
                    self.lines.pass(last.len());
                }
                continue;
            }
            if let Some(last) = last.take() {
                self.lines.line(last);
            }
            self.lines.line(line);
            is_idle = is_programs && self.lines.is_idle();
        }
        if let Some(last) = last {
            self.lines.line(last);
        }
    }

    /// Keeps a part of a line, up to the limit.
    fn begin(&mut self, part: &[u8]) {
        let room = LONGEST_LINE.saturating_sub(self.begun.len());
        self.begun.extend(part.iter().take(room));
    }

    fn end(mut self) -> Read {
        if !self.begun.is_empty() {
            self.lines.line(&self.begun);
        }
        Read::new(self.bytes, self.lines.end())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(bytes: &[u8]) -> Vec<String> {
        let mut texts = Vec::new();
        read(&mut &bytes[..], &mut |line| {
            texts.push(line.text.to_owned());
        })
        .unwrap();
        texts
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let long = vec![b'x'; 3 * LONGEST_LINE];
        assert_eq!(texts(&long)[0].len(), LONGEST_LINE);
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_the_bytes_come(bytes in prop::collection::vec(prop::sample::select(b"ab[1.5] \n\r&;\x1b<>".to_vec()), 0..300), size in 1..20_usize) {
            let mut texts = Vec::new();
            let mut chunked = io::BufReader::with_capacity(size, &bytes[..]);
            read(&mut chunked, &mut |line| texts.push(line.text.to_owned())).unwrap();
            prop_assert_eq!(texts, self::texts(&bytes));
        }

        #[test]
        fn never_panics(bytes: Vec<u8>) { _ = texts(&bytes); }
    }

    /// A signal came while the first or a later piece was read, or the disk fails.
    struct Failing<'a> {
        rest: &'a [u8],
        error: Option<io::ErrorKind>,
    }

    impl io::Read for Failing<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let available = self.fill_buf()?;
            let len = available.len().min(buffer.len());
            buffer[..len].copy_from_slice(&available[..len]);
            self.consume(len);
            Ok(len)
        }
    }

    impl BufRead for Failing<'_> {
        fn fill_buf(&mut self) -> io::Result<&[u8]> {
            if self.rest.len() <= 16
                && let Some(error) = self.error.take()
            {
                return Err(error.into());
            }
            Ok(&self.rest[..self.rest.len().min(16)])
        }

        fn consume(&mut self, len: usize) {
            self.rest = &self.rest[len..];
        }
    }

    #[test]
    fn reading_goes_on_after_a_signal_and_ends_with_an_error() {
        let text = b"[    1.000000] a\n[    2.000000] bbb";
        let with = |error| {
            let mut input = Failing {
                rest: text,
                error: Some(error),
            };
            let mut texts = Vec::new();
            let read = read(&mut input, &mut |line| texts.push(line.text.to_owned()));
            read.map(|_| texts).map_err(|error| error.kind())
        };
        let all = vec!["a".to_owned(), "bbb".to_owned()];
        assert_eq!(with(io::ErrorKind::Interrupted), Ok(all));
        let broken = io::ErrorKind::InvalidData;
        assert_eq!(with(broken), Err(broken));
    }
}
