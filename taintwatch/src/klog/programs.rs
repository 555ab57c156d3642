//! Lines of programs in a log of syslog that say nothing of a taint: all but the last of many are passed over.
//!
//! In: bytes of a log. Out: whether a line is surely a program's, by the beginning that syslog daemons write, and without
//! any text that matters or that would have to be undone. What is not sure is read as any line is.

use std::sync::LazyLock;

use aho_corasick::packed::{MatchKind, Searcher};
use memchr::{memchr, memchr_iter};

use super::form;

/// In front of any other text of the kernel's the name of a program shows that it is not the kernel's. These begin
/// reports, or speak of a taint whoever wrote them.
const TEXTS: [&str; 13] = [
    "aint",
    "Oops",
    "BUG",
    "WARNING: ",
    "[#",
    "Machine Check",
    "Bad page",
    "kernel tried to ",
    "Kernel attempted to ",
    "Internal error: ",
    "Unable to handle ",
    "Hardware Error]",
    "SError Interrupt",
];
/// A longer line is read.
const LONGEST: usize = 4096;
const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Tells the lines of a piece of a log.
pub(super) struct Programs<'c> {
    chunk: &'c [u8],
    /// Where the next text begins that matters; what is before it was searched.
    next: usize,
    /// A word that is known to be a machine's name, and a time with it: most lines have the same.
    machine: &'c [u8],
    head: &'c [u8],
}

impl<'c> Programs<'c> {
    /// `None` where this machine has no fast search.
    pub(super) fn of(chunk: &'c [u8]) -> Option<Self> {
        texts()?;
        let mut programs = Self {
            chunk,
            next: 0,
            machine: &[],
            head: &[],
        };
        programs.search(0);
        Some(programs)
    }

    fn search(&mut self, from: usize) {
        let rest = self.chunk.get(from..).unwrap_or_default();
        let found = texts().and_then(|texts| texts.find(rest));
        self.next = found.map_or(usize::MAX, |found| from + found.start());
    }

    /// Whether the line from `begin` to `end` is a program's and says nothing of a taint. Lines come in their order.
    pub(super) fn has(&mut self, begin: usize, end: usize) -> bool {
        if self.next < begin {
            self.search(begin);
        }
        let line = self.chunk.get(begin..end);
        let line = line.filter(|line| self.next >= end && line.len() <= LONGEST);
        line.is_some_and(|line| self.is_programs(line))
    }

    /// `Nov 24 12:00:00 web1 app[42]: `, `2026-11-24T12:00:00.123456+01:00 web1 app[42]: `, and a plain text.
    fn is_programs(&mut self, line: &'c [u8]) -> bool {
        let known = line.strip_prefix(self.head);
        let tag = known.filter(|_| !self.head.is_empty()).or_else(|| {
            let tag = behind_time(line).and_then(|rest| self.behind_machine(rest))?;
            let head = line.len() - tag.len();
            self.head = line.get(..head).unwrap_or_default();
            Some(tag)
        });
        let text = tag.and_then(behind_tag);
        text.is_some_and(|text| !text.is_empty()) && is_plain(line)
    }

    /// Behind the name of a machine.
    fn behind_machine(&mut self, text: &'c [u8]) -> Option<&'c [u8]> {
        let known = text.strip_prefix(self.machine);
        if let Some(rest) = known.filter(|_| !self.machine.is_empty())
            && let Some(rest) = rest.strip_prefix(b" ")
        {
            return Some(rest);
        }
        let (name, rest) = text.split_at_checked(memchr(b' ', text)?)?;
        if !is_machine(name) {
            return None;
        }
        self.machine = name;
        rest.strip_prefix(b" ")
    }
}

fn texts() -> Option<&'static Searcher> {
    static FOUND: LazyLock<Option<Searcher>> = LazyLock::new(|| {
        let mut builder = aho_corasick::packed::Config::new()
            .match_kind(MatchKind::LeftmostFirst)
            .builder();
        builder.extend(TEXTS).build()
    });
    FOUND.as_ref()
}

/// Nothing in it has to be undone, goes on, ends as a time or an object does, or names a module with flags.
fn is_plain(text: &[u8]) -> bool {
    let is_odd = |byte: u8| !(b' '..=b'~').contains(&byte) || byte == b'&' || byte == b'\\';
    // Without a branch for each byte.
    let odd = |odd: u8, byte: &u8| odd | u8::from(is_odd(*byte));
    if text.iter().fold(0, odd) != 0 {
        return false;
    }
    let ends_well = match text.last() {
        Some(b'0'..=b'9' | b'.') => {
            let time = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b' ' | b'.');
            let before = text.iter().rposition(|byte| !time(byte));
            before.and_then(|at| text.get(at)) != Some(&b'[')
        }
        Some(byte) => {
            byte.is_ascii_alphabetic() || matches!(byte, b')' | b'"' | b'\'' | b';' | b'!')
        }
        None => false,
    };
    let flags = |at: usize| {
        let next = text.get(at + 1);
        next.is_some_and(|next| b"PFCOEKXNTJ+-".contains(next))
    };
    ends_well && !memchr_iter(b'(', text).any(flags)
}

fn behind_time(line: &[u8]) -> Option<&[u8]> {
    let (month, rest) = line.split_at_checked(3)?;
    if !MONTHS.contains(&month) {
        return behind_iso_time(line);
    }
    let rest = shaped(rest, b" 00 00:00:00 ").or_else(|| shaped(rest, b"  0 00:00:00 "))?;
    Some(rest)
}

fn behind_iso_time(line: &[u8]) -> Option<&[u8]> {
    let mut rest = shaped(line, b"0000-00-00T00:00:00")?;
    if let Some(fraction) = rest.strip_prefix(b".") {
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit());
        let digits = digits.count();
        rest = fraction
            .get(digits..)
            .filter(|_| (1..=9).contains(&digits))?;
    }
    shaped(rest, b"Z ")
        .or_else(|| shaped(rest, b"+00:00 "))
        .or_else(|| shaped(rest, b"-00:00 "))
}

/// Behind a text with digits where the shape has zeros.
fn shaped<'a>(text: &'a [u8], shape: &[u8]) -> Option<&'a [u8]> {
    let (begin, rest) = text.split_at_checked(shape.len())?;
    let fits = |(byte, shape): (&u8, &u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        shape => byte == shape,
    };
    begin.iter().zip(shape).all(fits).then_some(rest)
}

/// Whether a word is a machine's name, and nothing else that stands in its place.
fn is_machine(name: &[u8]) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let begins = name.first().is_some_and(u8::is_ascii_alphabetic);
    let ends = name.last().is_some_and(u8::is_ascii_alphanumeric);
    let is_other = |name: &str| form::is_no_machine(name) || name.starts_with("kern");
    let name = std::str::from_utf8(name);
    begins
        && ends
        && name.is_ok_and(|name| name.bytes().all(|byte| is_name(&byte)) && !is_other(name))
}

/// Behind `app[42]: `.
fn behind_tag(text: &[u8]) -> Option<&[u8]> {
    let open = text.iter().position(|byte| !is_of_tag(*byte))?;
    let (name, rest) = text.split_at_checked(open)?;
    let rest = rest.strip_prefix(b"[")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
    let digits = digits.count();
    let rest = rest.get(digits..)?.strip_prefix(b"]: ")?;
    let begins = name.first().is_some_and(u8::is_ascii_alphabetic);
    let ends = name.last().is_some_and(u8::is_ascii_alphanumeric);
    (begins && ends && digits > 0 && !name.starts_with(b"kern")).then_some(rest)
}

fn is_of_tag(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'@')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::taint::log;

    fn has(line: &str) -> bool {
        Programs::of(line.as_bytes()).unwrap().has(0, line.len())
    }

    /// Between lines of programs, and in front of one of the kernel's.
    #[test]
    fn no_text_of_the_kernels_that_a_program_logs_is_passed_over_wrongly() {
        use super::super::{marks, stream};
        let own = [
            marks::PANIC,
            marks::BOOT,
            marks::MODULES,
            marks::UNLOADED,
            marks::CFI,
            marks::CUT_HERE,
        ];
        let others = [
            "Tainted: P",
            "taints the kernel",
            "TAINT",
            "BUG: x",
            "nvidia(POE)",
            "CPU: 1 PID: 7 Comm: x",
        ];
        let forms = [
            "M",
            "x: M",
            "nvidia: M x",
            "[    1.500000] M",
            "<4>M",
            "x [#1] M",
            "M: kernel taint",
        ];
        for mark in log::marks().chain(own).chain(others) {
            for form in forms {
                let line = format!(
                    "Nov 24 12:00:00 web1 app[42]: {}\n",
                    form.replace('M', mark)
                );
                let program = "Nov 24 12:00:00 web1 app[42]: x\n".repeat(2);
                let text = format!(
                    "{program}{line}{program}{line}Nov 24 12:00:00 web1 kernel: usb\nx\n{line}{line}"
                );
                let read = |input: &mut dyn std::io::BufRead| {
                    let mut lines = Vec::new();
                    let read = stream::read(input, &mut |line| lines.push(format!("{line:?}")));
                    (lines, read.unwrap())
                };
                let passed = read(&mut text.as_bytes());
                let mut slow = std::io::BufReader::with_capacity(1, text.as_bytes());
                assert_eq!(passed, read(&mut slow), "{line}");
            }
        }
        assert!(texts().is_some());
    }

    #[test]
    fn what_programs_log_is_told_from_what_may_matter() {
        for line in [
            "Nov 24 12:00:00 web1 sshd[42]: Accepted publickey for root from 10.0.0.1 port 22 ssh2",
            "Nov  4 12:00:00 web1 CRON[4]: pam_unix(cron:session): session opened for user root(uid=0)",
            "2026-11-24T12:00:00.123456+01:00 web1 systemd[1]: Started foo.service - Foo.",
            "2026-11-24T12:00:00Z web1 systemd[1]: x",
        ] {
            assert!(has(line), "{line}");
        }
        for line in [
            "Nov 24 12:00:00 web1 kernel: x",
            "Nov 24 12:00:00 web1 kernel[1]: x",
            "Nov 24 12:00:00 web1 sshd: x",
            "Nov 24 12:00:00 error sshd[42]: x",
            "Nov 24 12:00:00 stdout sshd[42]: x",
            "Nov 24 12:00:00 web1 sshd[42]: it is tainted",
            "Nov 24 12:00:00 web1 sshd[42]: nvidia(POE)",
            "Nov 24 12:00:00 web1 sshd[42]: a&lt;b",
            "Nov 24 12:00:00 web1 sshd[42]: a\\n[    1.0] b",
            "Nov 24 12:00:00 web1 sshd[42]: a [ 12.5",
            "Nov 24 12:00:00 web1 sshd[42]: {",
            "Nov 24 12:00:00 web1 sshd[42]: ä",
            "Nov 24 12:00:00 web1 sshd[42]: x ",
            "Nov 24 12:00:00 web1 sshd[]: x",
            "okt 24 12:00:00 web1 sshd[42]: x",
            "[    1.5] web1 sshd[42]: x",
            "",
        ] {
            assert!(!has(line), "{line}");
        }
    }
}
