//! The lines of a log, as a file has them, one by one.
//!
//! In: the bytes of a line. Out: the lines of the kernel that they are or complete, and which of the others speak of a
//! taint. What was broken over several lines is held until it is whole, up to the limit of a line.

use std::cell::RefCell;

use super::{
    Line,
    clean::{clean, is_mangled},
    form::{self, Source},
    journal::{self, Carrier, Unfolded},
    line::LONGEST_LINE,
    modules::{TORN, torn},
    unread::{self, Unread},
    wrapped::Wrapped,
};

pub(super) struct Lines<'s> {
    sink: &'s mut dyn FnMut(&Line<'_>),
    source: Source,
    /// The beginning of an entry whose end has not come.
    unfolded: Unfolded,
    carrier: Carrier,
    /// A line whose rest may stand in the next.
    wrapped: Wrapped,
    /// Lines of the file.
    number: u64,
    found: Found,
}

/// What was found in the lines so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// How many the kernel wrote.
    pub(super) lines: u64,
    /// Those that speak of a taint and were not understood.
    pub(super) unread: Unread,
    /// Those that speak of a taint, and that a program wrote.
    pub(super) programs: Unread,
}

impl<'s> Lines<'s> {
    pub(super) fn new(sink: &'s mut dyn FnMut(&Line<'_>)) -> Self {
        Self {
            sink,
            source: Source::default(),
            unfolded: Unfolded::default(),
            carrier: Carrier::default(),
            wrapped: Wrapped::default(),
            number: 0,
            found: Found::default(),
        }
    }

    /// No further line comes.
    pub(super) fn end(mut self) -> Found {
        self.flush();
        let Self {
            mut unfolded,
            sink,
            mut found,
            ..
        } = self;
        unfolded.end(&mut |line| give(sink, &mut found.lines, line));
        found
    }

    pub(super) fn line(&mut self, raw: &[u8]) {
        self.number += 1;
        let raw = raw.get(..LONGEST_LINE).unwrap_or(raw);
        let text = String::from_utf8_lossy(raw);
        let mut text = text.trim_end_matches('\r');
        if self.found.lines == 0 {
            // The mark that some editors put in front, of UTF-16 too.
            text = text.trim_start_matches(['\u{feff}', '\u{fffd}']);
        }
        let whole = text.trim_end_matches(['\r', ' ', '\t']);
        // A program may put anything into an entry: undone, a mark could end the field that it stands in.
        if self.unfolded.is_open() || is_object(whole) {
            self.flush();
            self.whole(whole, self.number);
            return;
        }
        if !is_mangled(text) {
            self.plain(text);
            return;
        }
        // What a console overwrote stands in one line.
        for (place, part) in text.split('\r').filter(|part| !part.is_empty()).enumerate() {
            // But what a program logs is its own to the end.
            if place > 0 && self.is_programs() {
                break;
            }
            self.plain(&clean(part));
        }
    }

    /// Whether the line that is held was written by a program.
    fn is_programs(&mut self) -> bool {
        self.flush();
        self.source.is_foreign()
    }

    /// A line that has no marks of others, and whose rest may come.
    fn plain(&mut self, text: &str) {
        let beginning = self.source.beginning(text);
        let is_stamped = self.source.is_stamped();
        if !journal::is_frame(text) && self.wrapped.take(text, beginning, is_stamped) {
            return;
        }
        self.flush();
        let whole = text.trim_end();
        if journal::could_begin(whole) {
            // Of an entry the next line must not be taken for the rest.
            self.whole(whole, self.number);
        } else {
            self.wrapped.begin(text, self.number, beginning);
        }
    }

    /// Nothing more completes the line that is held.
    fn flush(&mut self) {
        if let Some((text, number)) = self.wrapped.end() {
            self.whole(&text, number);
        }
    }

    fn whole(&mut self, text: &str, number: u64) {
        if is_object(text) {
            self.object(text, number);
            return;
        }
        let Self {
            unfolded,
            sink,
            found,
            ..
        } = self;
        if unfolded.take(text, &mut |line| give(*sink, &mut found.lines, line)) {
            return;
        }
        // `Oops#1 Part1` stands in front of each file of a pstore.
        if text.is_empty() || is_part_header(text) {
            return;
        }
        let unpadded = form::unpadded(text);
        self.records(
            unpadded.as_deref().unwrap_or(text),
            number,
            &Line::default(),
        );
    }

    /// An entry of the journal's, or of a collector's.
    fn object(&mut self, text: &str, number: u64) {
        if let Some(entry) = journal::entry(text) {
            self.give(&entry.line());
            return;
        }
        let source = RefCell::new(&mut self.source);
        let is_kernels = |text: &str| source.borrow_mut().is_record(text);
        for carried in self.carrier.texts(text, &is_kernels) {
            if carried.is_programs {
                if unread::speaks(&carried.text) {
                    self.found.programs.add(number);
                }
                continue;
            }
            let outer = Line {
                wall: carried.wall,
                host: carried.host.as_deref(),
                ..Line::default()
            };
            for text in carried.text.split('\n') {
                self.records(text.trim_end(), number, &outer);
            }
        }
    }

    /// The records of a line: most have one. What is around the line may say when and where it was written.
    fn records(&mut self, text: &str, number: u64, outer: &Line<'_>) {
        let mut rest = form::bare(text);
        while let Some(line) = self.source.numbered(rest, number) {
            let second = self.source.second(rest, &line);
            let (record, behind) = rest
                .split_at_checked(second.unwrap_or(rest.len()))
                .unwrap_or((rest, ""));
            let begin = rest.len() - line.text.len();
            let whole = if second.is_some() {
                record.get(begin..).unwrap_or_default().trim_end()
            } else {
                line.text
            };
            self.found.lines += 1;
            self.judge(&line, number);
            (self.sink)(&Line {
                text: whole,
                wall: line.wall.or(outer.wall),
                host: line.host.or(outer.host),
                ..line
            });
            rest = behind;
            if rest.is_empty() {
                return;
            }
        }
        if unread::speaks(rest) {
            let programs = self.source.is_foreign();
            let seen = if programs {
                &mut self.found.programs
            } else {
                &mut self.found.unread
            };
            seen.add(number);
        }
    }

    /// Whether a line is understood as far as it speaks of a taint.
    fn judge(&mut self, line: &Line<'_>, number: u64) {
        let is_sure = line.has_time() || line.caller.is_some();
        let is_unread = if is_sure {
            unread::is_unknown(line.text)
        } else {
            unread::speaks(line.text) && !unread::is_understood(line.text)
        };
        let is_torn = || line.text.contains(TORN) && !torn(&[line.text.to_owned()]).is_empty();
        if is_unread || is_torn() {
            self.found.unread.add(number);
        }
    }

    /// An entry that is whole.
    pub(super) fn give(&mut self, line: &Line<'_>) {
        give(self.sink, &mut self.found.lines, line);
    }
}

/// A message of several lines is several lines.
fn give(sink: &mut dyn FnMut(&Line<'_>), found: &mut u64, line: &Line<'_>) {
    for text in line.text.split('\n') {
        *found += 1;
        sink(&Line { text, ..*line });
    }
}

/// Whether a line is an object of JSON.
fn is_object(text: &str) -> bool {
    text.starts_with('{') && text.ends_with('}')
}

/// `Oops#1 Part1`, `Panic#2 Part3` (`kmsg_dump` reasons, `fs/pstore/platform.c`).
pub(super) fn is_part_header(text: &str) -> bool {
    text.split_once(" Part").is_some_and(|(before, number)| {
        let number = number.trim_end_matches(" compressed");
        before.len() < 24
            && before.contains('#')
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(bytes: &[u8]) -> Vec<String> {
        let mut texts = Vec::new();
        let mut sink = |line: &Line<'_>| texts.push(line.text.to_owned());
        let mut lines = Lines::new(&mut sink);
        for line in bytes.split(|byte| *byte == b'\n') {
            lines.line(line);
        }
        lines.end();
        texts
    }

    #[test]
    fn what_happened_to_a_line_on_its_way_is_undone() {
        assert_eq!(
            texts(b"[    1.000000] a\r\n[    2.000000] b\n\r\n"),
            ["a", "b"]
        );
        assert_eq!(
            texts(b"\x1b[32m[    1.000000] \x1b[0m\x1b[33ma\x1b[0m: b\n"),
            ["a: b"]
        );
        assert_eq!(
            texts(b"&lt;4&gt;[    1.000000]  ? &lt;IRQ&gt; a &amp; b"),
            [" ? <IRQ> a & b"]
        );
        assert_eq!(texts("\u{feff}[    1.000000] a".as_bytes()), ["a"]);
        let utf16: Vec<u8> = "\u{feff}[    1.000000] a\r\nb\r\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(texts(&utf16), ["a", "b"]);
        assert_eq!(texts(b"Oops#1 Part1\n<4>[    1.000000] a\n"), ["a"]);
        assert_eq!(texts(b"a\xff\n"), ["a\u{fffd}"]);
    }

    #[test]
    fn entries_on_several_lines_are_read_and_no_line_of_theirs_is_a_kernels() {
        let verbose = "Tue 2026-11-24 12:00:00 UTC [s=0;i=1;b=4f;m=1;t=2;x=3]\n    _TRANSPORT=stdout\n    \
            MESSAGE=evil\r    _TRANSPORT=kernel\nTue 2026-11-24 12:00:00 UTC [s=0;i=2;b=4f;m=1;t=2;x=3]\n    \
            MESSAGE=a\n    _TRANSPORT=kernel\n";
        assert_eq!(texts(verbose.as_bytes()), ["a"]);
        let records = "{\n   \"dmesg\": [\n      {\n         \"pri\": 4,\n         \"msg\": \"a &quot;\"\n      }\n   ]\n}\n";
        assert_eq!(texts(records.as_bytes()), ["a &quot;"]);
        let foreign = records.replace("\"pri\"", "\"fac\"");
        assert_eq!(texts(foreign.as_bytes()), [""; 0]);
        let stamped = format!(
            "[    1.000000] b=\n{}",
            verbose.replace("=a", "=a=\n    A=b=")
        );
        assert_eq!(texts(stamped.as_bytes()), ["b=", "a="]);
    }

    #[test]
    fn what_a_program_logs_is_its_own_whatever_it_puts_in() {
        let entry = r#"{"MESSAGE":"evil&quot;,&quot;_TRANSPORT&quot;:&quot;kernel","PRIORITY":"4","a":"\"kernel\""}"#;
        assert_eq!(texts(entry.as_bytes()), [""; 0]);
        let line = b"Nov 24 12:00:00 box app: a\rNov 24 12:00:00 box kernel: evil\n";
        assert_eq!(texts(line), [""; 0]);
        assert_eq!(texts(b"login: \r[    1.000000] a\n"), ["login:", "a"]);
    }

    #[test]
    fn a_line_that_a_mail_program_broke_is_one() {
        let texts = |lines: &str| texts(format!("[    1.000000] a\n{lines}").as_bytes());
        assert_eq!(
            texts("[    2.000000] f+0x1/0=\nx2 [=\nm]\n[    3.000000] b"),
            ["a", "f+0x1/0x2 [m]", "b"]
        );
        assert_eq!(texts("> [    2.000000] f+0x1/0=\n> x2"), ["a", "f+0x1/0x2"]);
        assert_eq!(
            texts("[    2.000000] root=\n[    3.000000] b"),
            ["a", "root=", "b"]
        );
        assert_eq!(
            texts("[    2.000000] root=\n\n[    3.000000] b="),
            ["a", "root=", "b="]
        );
    }
}
