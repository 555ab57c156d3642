//! The lines of a log, as a file has them, one by one.
//!
//! In: the bytes of a line. Out: the lines of the kernel that they are or complete, and which of the others speak of a
//! taint. What was broken over several lines is held until it is whole, up to the limit of a line.

use std::cell::RefCell;

use memchr::memmem;

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
    /// Where a dump begins that a crash wrote, and whether a line is about the crash.
    dump: Option<u64>,
    has_crash: bool,
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
            dump: None,
            has_crash: false,
            found: Found::default(),
        }
    }

    /// No further line comes.
    pub(super) fn end(mut self) -> Found {
        self.flush();
        let (sink, found) = (&mut self.sink, &mut self.found);
        let mut give = |line: &Line<'_>| give(*sink, &mut found.lines, line);
        self.unfolded.end(&mut give);
        self.unfolded_object(self.number);
        // The part that says what happened is missing.
        if let Some(number) = self.dump.filter(|_| !self.has_crash) {
            self.found.unread.add(number);
        }
        self.found
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
        let divided = divided(text);
        let text = divided.as_deref().unwrap_or(text);
        if divided.is_none() && !is_mangled(text) {
            self.plain(text);
            return;
        }
        // What a console overwrote stands in one line, and lines of a page do.
        let parts = text.split('\r').map(clean);
        let mut is_first = true;
        for part in parts {
            for part in part.split('\n').filter(|part| !part.is_empty()) {
                // But what a program logs is its own to the end.
                if !std::mem::take(&mut is_first) && self.is_programs() {
                    return;
                }
                self.plain(part);
            }
        }
    }

    /// Whether a line of a program's would change nothing but what is held: the last line was one.
    pub(super) fn is_idle(&self) -> bool {
        self.wrapped.is_one() && !self.unfolded.is_open()
    }

    /// Passes over a line of a program's (`Programs`) between two others, the first of which is held.
    pub(super) fn pass(&mut self, width: usize) {
        self.number += 1;
        self.wrapped.pass(width);
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
        let is_part = unfolded.take(text, &mut |line| give(*sink, &mut found.lines, line));
        self.unfolded_object(number);
        if is_part {
            return;
        }
        // `Oops#1 Part1` stands in front of each file of a pstore.
        if text.is_empty() {
            return;
        }
        if is_part_header(text) {
            let is_crash = text.starts_with("Oops#") || text.starts_with("Panic#");
            self.dump = self.dump.or(Some(number).filter(|_| is_crash));
            return;
        }
        let unpadded = form::unpadded(text);
        self.records(
            unpadded.as_deref().unwrap_or(text),
            number,
            &Line::default(),
        );
    }

    /// What stood on several lines, the last of which is this one or the one before.
    fn unfolded_object(&mut self, number: u64) {
        if let Some(object) = self.unfolded.object() {
            self.carried(&object, number);
        }
    }

    /// An entry of the journal's, or of a collector's.
    fn object(&mut self, text: &str, number: u64) {
        if let Some(entry) = journal::entry(text) {
            self.give(&entry.line());
        } else {
            self.carried(text, number);
        }
    }

    /// The lines that an object of a collector carries.
    fn carried(&mut self, object: &str, number: u64) {
        let source = RefCell::new(&mut self.source);
        let is_kernels = |text: &str| source.borrow_mut().is_record(text);
        let texts = self.carrier.texts(object, &is_kernels);
        if texts.is_empty() && unread::speaks(object) {
            let is_entry = journal::is_entry(object);
            let seen = if is_entry {
                &mut self.found.programs
            } else {
                &mut self.found.unread
            };
            seen.add(number);
        }
        for carried in texts {
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
            let line = Line {
                text: whole,
                ..line
            };
            self.judge(&line, number);
            (self.sink)(&Line {
                wall: line.wall.or(outer.wall),
                host: line.host.or(outer.host),
                ..line
            });
            rest = behind;
            if rest.is_empty() {
                return;
            }
        }
        let is_programs = self.source.is_foreign();
        if is_programs && unread::speaks(rest) {
            self.found.programs.add(number);
        } else if !is_programs && (unread::speaks(rest) || unread::tells(rest)) {
            self.found.unread.add(number);
        }
    }

    /// Whether a line is understood as far as it speaks of a taint.
    fn judge(&mut self, line: &Line<'_>, number: u64) {
        self.has_crash |= self.dump.is_some() && unread::is_crash(line.text);
        let is_sure = line.has_time() || line.caller.is_some();
        let is_unread = if is_sure {
            unread::is_unknown(line.text)
        } else {
            let speaks = unread::speaks(line.text) || unread::tells(line.text);
            speaks && !unread::is_understood(line.text)
        };
        let is_torn = || line.text.contains(TORN) && !torn(&[line.text.to_owned()]).is_empty();
        if is_unread || is_torn() || unread::hides_more(line.text) {
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

/// Whether a line is an object of JSON, or a list of them.
fn is_object(text: &str) -> bool {
    text.starts_with('{') && text.ends_with('}') || text.starts_with("[{") && text.ends_with("}]")
}

/// The text with an end of line wherever a program wrote one as `\n` in front of a time of the kernel's.
fn divided(text: &str) -> Option<String> {
    const ENDS: [&str; 2] = ["\\n[", "\\n<"];
    if !ENDS
        .iter()
        .any(|end| memmem::find(text.as_bytes(), end.as_bytes()).is_some())
    {
        return None;
    }
    let mut divided = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("\\n") {
        divided.push_str(before.strip_suffix("\\r").unwrap_or(before));
        divided.push_str(if form::is_kernels(behind) {
            "\r"
        } else {
            "\\n"
        });
        rest = behind;
    }
    divided.push_str(rest);
    Some(divided)
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

    #[test]
    fn a_header_of_a_part_is_a_reason_with_a_number() {
        for text in [
            "Oops#1 Part1",
            "Panic#2 Part13",
            "Oops#1 Part1 compressed",
            "Emergency-restart#123 Part1",
        ] {
            assert!(is_part_header(text), "{text}");
        }
        let longest = format!("{}# Part1", "x".repeat(22));
        assert!(is_part_header(&longest));
        for text in [
            "Oops Part1",
            "Oops#1 Part",
            "Oops#1 Partx",
            "Oops#1 part1",
            "xxxxxxxxxxxxxxxxxxxxxxx# Part1",
        ] {
            assert!(!is_part_header(text), "{text}");
        }
    }

    #[test]
    fn an_object_has_both_its_ends() {
        for text in ["{}", "[{}]", "{\"a\": 1}"] {
            assert!(is_object(text), "{text}");
        }
        for text in ["{x", "x}", "[{x", "x}]", "[1]"] {
            assert!(!is_object(text), "{text}");
        }
    }

    #[test]
    fn each_line_of_a_message_is_a_line() {
        let (mut texts, mut found) = (Vec::new(), 0);
        give(
            &mut |line| texts.push(line.text.to_owned()),
            &mut found,
            &Line::of("a\nb"),
        );
        assert_eq!((texts, found), (vec!["a".to_owned(), "b".to_owned()], 2));
    }

    #[test]
    fn what_stands_around_a_text_says_when_and_where() {
        let object = br#"{"@timestamp":"2026-11-24T12:00:00Z","hostname":"web1","message":"[    1.000000] a"}"#;
        let mut found = Vec::new();
        let mut sink = |line: &Line<'_>| {
            let host = line.host.map(str::to_owned);
            found.push((
                line.text.to_owned(),
                host,
                line.wall.map(|time| time.to_string()),
            ));
        };
        let mut lines = Lines::new(&mut sink);
        lines.line(object);
        lines.end();
        let wall = Some("2026-11-24T12:00:00Z".to_owned());
        assert_eq!(found, [("a".to_owned(), Some("web1".to_owned()), wall)]);
    }
}
