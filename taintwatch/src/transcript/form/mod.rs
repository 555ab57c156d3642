//! The forms in which people meet a kernel log, line by line.
//!
//! In: one line of a file. Out: the kernel's own text, with what the prefix says of time, writer and machine; nothing
//! for lines that the kernel did not write. The form is found anew on each line, by its first byte; what one line
//! cannot tell (whether a line without a time is the rest of the one before) is kept for the source.

mod around;
mod bracket;
mod kmsg;
mod stamp;
mod syslog;

use super::Line;

/// What the lines so far tell of their source.
#[derive(Debug, Default)]
pub struct Source {
    /// Lines have a time: one without goes on where the last was broken.
    is_stamped: bool,
    /// The last line was the kernel's.
    is_kernels: bool,
    /// The machine of `journalctl -o short-monotonic`, whose lines look like the kernel's own.
    monotonic_host: Option<String>,
    number: u64,
}

impl Source {
    /// Takes a line apart; `None` when the kernel did not write it.
    pub fn line<'a>(&mut self, raw: &'a str) -> Option<Line<'a>> {
        self.number += 1;
        let raw = around::bare(raw);
        let found = match self.parse(raw) {
            Parsed::Line(line) => {
                self.is_stamped |= line.has_time();
                Some(line)
            }
            Parsed::Foreign => None,
            // The rest of a line that was somebody else's.
            Parsed::Bare(_) if self.is_stamped && !self.is_kernels => return None,
            Parsed::Bare(text) if around::is_gap(text) => return None,
            Parsed::Bare(text) => Some(Line {
                continues: self.is_stamped,
                ..Line::of(text)
            }),
        };
        self.is_kernels = found.is_some();
        found.map(|line| Line {
            number: if line.number == 0 {
                self.number
            } else {
                line.number
            },
            ..line
        })
    }

    fn parse<'a>(&mut self, raw: &'a str) -> Parsed<'a> {
        let first = raw.as_bytes().first().copied().unwrap_or_default();
        match first {
            b'[' => self.bracket(raw),
            b'<' => self.priority(raw),
            b'0'..=b'9' => kmsg::record(raw)
                .or_else(|| syslog::iso(raw).inside())
                .or_else(|| syslog::console(raw).inside())
                .or_else(|| bracket::cut(raw).map_or(Parsed::Bare(raw), Parsed::Line))
                .or_else(|| syslog::stamped(raw).inside())
                .or_else(|| self.within(raw, around::numbered(raw))),
            // What syslogd shows to everybody who is logged in.
            b' ' if raw.starts_with(" kernel:") => {
                Parsed::Line(Line::of(raw.trim_start_matches(" kernel:"))).inside()
            }
            // Further fields of a record of /dev/kmsg.
            b' ' if kmsg::is_field(raw) => Parsed::Foreign,
            b' ' | b'\t' => self.within(raw, Some(raw.trim_start())),
            b'a'..=b'z' => match bracket::decoded(raw) {
                Some((true, rest)) => syslog::iso(rest)
                    .or_else(|| Parsed::Line(Line::of(rest)))
                    .inside(),
                Some((false, _)) => Parsed::Foreign,
                // The times of a log of syslog were taken away.
                None => raw
                    .strip_prefix("kernel: ")
                    .map_or_else(|| syslog::stamped(raw), |text| Parsed::Line(Line::of(text)))
                    .inside(),
            },
            _ => syslog::stamped(raw).inside(),
        }
    }

    /// A line behind blanks or a number that somebody put there: only a time shows that they are no part of it.
    fn within<'a>(&mut self, raw: &'a str, inner: Option<&'a str>) -> Parsed<'a> {
        match inner.map(|inner| self.parse(inner)) {
            Some(Parsed::Line(line)) if line.has_time() => Parsed::Line(line),
            Some(Parsed::Foreign) => Parsed::Foreign,
            _ => Parsed::Bare(raw),
        }
    }

    /// `[   12.345678] text`, or `[   12.345678] host kernel: text` of the journal.
    fn bracket<'a>(&mut self, raw: &'a str) -> Parsed<'a> {
        let Some(line) = bracket::time(raw) else {
            return Parsed::Bare(raw);
        };
        let mut words = line.text.splitn(3, ' ');
        let (host, tag, text) = (words.next(), words.next(), words.next());
        if let (Some(host), Some("kernel:")) = (host, tag)
            && !host.contains(':')
            && !host.is_empty()
        {
            self.monotonic_host = Some(host.to_owned());
            return Parsed::Line(Line {
                text: text.unwrap_or_default(),
                host: Some(host),
                ..line
            });
        }
        if host.is_some()
            && self.monotonic_host.as_deref() == host
            && tag.is_some_and(|tag| tag.ends_with(':'))
        {
            return Parsed::Foreign;
        }
        Parsed::Line(line)
    }

    /// `<4>…`: by the kernel when the facility is 0; everybody may write to /dev/kmsg with another.
    fn priority<'a>(&mut self, raw: &'a str) -> Parsed<'a> {
        let Some((priority, rest)) = bracket::priority(raw) else {
            return Parsed::Bare(raw);
        };
        if priority >> 3 != 0 {
            return Parsed::Foreign;
        }
        let behind = rest.strip_prefix("1 ").unwrap_or(rest);
        let outer = match behind.as_bytes().first() {
            Some(b'0'..=b'9') => syslog::iso(behind),
            Some(b'A'..=b'Z') => syslog::stamped(behind),
            _ => Parsed::Bare(rest),
        };
        outer.inside().or_else(|| match self.bracket(rest) {
            Parsed::Bare(_) => Parsed::Line(Line::of(rest)),
            line => line,
        })
    }
}

/// What a line is by one form's rules.
enum Parsed<'a> {
    Line(Line<'a>),
    /// Of somebody else.
    Foreign,
    /// Not of this form.
    Bare(&'a str),
}

impl Parsed<'_> {
    fn or_else(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Bare(_) => other(),
            known => known,
        }
    }

    /// The kernel's own prefix may stand behind that of a logger.
    fn inside(self) -> Self {
        let Self::Line(outer) = self else {
            return self;
        };
        let text = bracket::priority(outer.text).map_or(outer.text, |(_, rest)| rest);
        let Some(line) = bracket::time(text) else {
            return Self::Line(Line { text, ..outer });
        };
        Self::Line(Line {
            since_boot: line.since_boot.or(outer.since_boot),
            stamp: outer.stamp.or(line.stamp).filter(|_| outer.wall.is_none()),
            caller: line.caller,
            text: line.text,
            ..outer
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(raw: &str) -> Line<'_> {
        Source::default()
            .line(raw)
            .unwrap_or_else(|| panic!("{raw}"))
    }

    const TEXT: &str = "a: loading out-of-tree module taints kernel.";

    /// Time since the boot, whether a time on the wall is certain, caller, host.
    type Expected = (
        Option<u64>,
        bool,
        Option<&'static str>,
        Option<&'static str>,
    );

    /// Forms with the text left out: `@`.
    #[rustfmt::skip]
    const FORMS: [(&str, Expected); 54] = [
        ("@", (None, false, None, None)),
        ("[ 12.345678] @", (Some(12_345_678_000), false, None, None)),
        ("[ 12.345678][ T77] @", (Some(12_345_678_000), false, Some("T77"), None)),
        ("[ 12.345678] [ C1] @", (Some(12_345_678_000), false, Some("C1"), None)),
        ("[ 12.345678] (2)[123:kworker/2:1]@", (Some(12_345_678_000), false, Some("(2)[123:kworker/2:1]"), None)),
        ("[ 12.345678] [2: insmod: 123] @", (Some(12_345_678_000), false, Some("[2: insmod: 123]"), None)),
        ("[ 12.345678] c1 321 @", (Some(12_345_678_000), false, Some("c1 321"), None)),
        ("[ 12.345678 < 0.000012>] @", (Some(12_345_678_000), false, None, None)),
        ("[ +0.000012] @", (None, false, None, None)),
        ("[Tue Nov 24 12:00:00 2026] @", (None, false, None, None)),
        ("[Nov24 12:00] @", (None, false, None, None)),
        ("<4>[ 12.345678] @", (Some(12_345_678_000), false, None, None)),
        ("<4>@", (None, false, None, None)),
        ("kern :warn : [ 12.345678] @", (Some(12_345_678_000), false, None, None)),
        ("kern :warn : 2026-11-24T12:00:00,123456+00:00 @", (None, true, None, None)),
        ("2026-11-24T12:00:00,123456+00:00 @", (None, true, None, None)),
        ("4,1023,5234112,-;@", (Some(5_234_112_000), false, None, None)),
        ("4,1023,5234112,-,caller=T88;@", (Some(5_234_112_000), false, Some("T88"), None)),
        ("6.7.0-rc1,4,1023,5234112,-;@", (Some(5_234_112_000), false, None, None)),
        ("Nov 24 12:00:00 web1 kernel: @", (None, false, None, Some("web1"))),
        ("Nov 4 12:00:00 web1 kernel: [ 12.345678] @", (Some(12_345_678_000), false, None, Some("web1"))),
        ("Nov 24 12:00:00.123456 web1 kernel: @", (None, false, None, Some("web1"))),
        ("Nov 24 12:00:00 kernel: @", (None, false, None, None)),
        ("Nov 24 12:00:00 web1 kern.warn kernel: [ 12.345678] @", (Some(12_345_678_000), false, None, Some("web1"))),
        ("Tue Nov 24 12:00:00 2026 kern.warn kernel: [ 12.345678] @", (Some(12_345_678_000), false, None, None)),
        ("Tue 2026-11-24 12:00:00 UTC web1 kernel: @", (None, true, None, Some("web1"))),
        ("Tue 2026-11-24 12:00:00.123456 CET web1 kernel: @", (None, false, None, Some("web1"))),
        ("2026-11-24T12:00:00+0100 web1 kernel: @", (None, true, None, Some("web1"))),
        ("2026-11-24T12:00:00.123456+01:00 web1 kernel: [ 12.345678] @", (Some(12_345_678_000), true, None, Some("web1"))),
        ("2026-11-24 12:00:00 web1 kernel: @", (None, false, None, Some("web1"))),
        ("1795521600.123456 web1 kernel: @", (None, true, None, Some("web1"))),
        ("[ 12.345678] web1 kernel: @", (Some(12_345_678_000), false, None, Some("web1"))),
        ("<4>1 2026-11-24T12:00:00.123Z web1 kernel - - - [ 12.345678] @", (Some(12_345_678_000), true, None, Some("web1"))),
        ("<4>Nov 24 12:00:00 web1 kernel: @", (None, false, None, Some("web1"))),
        ("> > [ 12.345678] @", (Some(12_345_678_000), false, None, None)),
        ("[   12.345678] @", (Some(12_345_678_000), false, None, None)),
        ("[   12.345678][   T77] @", (Some(12_345_678_000), false, Some("T77"), None)),
        ("[   12.345678]  [2:  insmod:  123] @", (Some(12_345_678_000), false, Some("[2:  insmod:  123]"), None)),
        ("kern  :warn  : [   12.345678] @", (Some(12_345_678_000), false, None, None)),
        ("[    0.000000] [pid:7,cpu0,swapper/0]@", (Some(0), false, Some("[pid:7,cpu0,swapper/0]"), None)),
        (" kernel:[   12.345678] @", (Some(12_345_678_000), false, None, None)),
        ("kern  :err   : [   12.345678] @", (Some(12_345_678_000), false, None, None)),
        ("Nov  4 12:00:00 web1 kernel: [   12.345678] @", (Some(12_345_678_000), false, None, Some("web1"))),
        ("  12.345678] @", (Some(12_345_678_000), false, None, None)),
        ("кві 09 19:54:36 web1 kernel: @", (None, false, None, Some("web1"))),
        ("11月 24 12:00:00 web1 kernel: [   12.345678] @", (Some(12_345_678_000), false, None, Some("web1"))),
        ("[  240.] @", (Some(240_000_000_000), false, None, None)),
        ("\t[   12.345678] @", (Some(12_345_678_000), false, None, None)),
        ("   Nov 24 12:00:00 kernel: [   12.345678] @", (Some(12_345_678_000), false, None, None)),
        ("1262024-Nov 24 12:00:00 web1 kernel: @", (None, false, None, Some("web1"))),
        ("12:[   12.345678] @", (Some(12_345_678_000), false, None, None)),
        ("** 220 printk messages dropped ** [   12.345678] @", (Some(12_345_678_000), false, None, None)),
        ("05/09/2024 11:14:18 @", (None, false, None, None)),
        ("2015-10-03T12:13:13.17218 kern.warn: [   12.345678] @", (Some(12_345_678_000), false, None, None)),
    ];

    #[test]
    fn each_form_gives_the_text_and_what_its_prefix_says() {
        for (form, expected) in FORMS {
            let raw = form.replace('@', TEXT);
            let line = line(&raw);
            assert_eq!(line.text, TEXT, "{form}");
            let found = (line.since_boot, line.wall.is_some(), line.caller, line.host);
            assert_eq!(found, expected, "{form}");
        }
        assert_eq!(
            line("Nov 24 12:00:00 web1 kernel: x").stamp,
            Some("Nov 24 12:00:00")
        );
        assert_eq!(
            line("[Tue Nov 24 12:00:00 2026] x").stamp,
            Some("Tue Nov 24 12:00:00 2026")
        );
        let wall = line("2026-11-24T12:00:00.123456+01:00 web1 kernel: x")
            .wall
            .unwrap();
        assert_eq!(wall.to_string(), "2026-11-24T11:00:00.123456Z");
    }

    #[test]
    fn what_others_wrote_is_not_the_kernels() {
        let mut source = Source::default();
        for raw in [
            "Okt 24 12:00:00 web1 sshd[12]: WARNING: CPU: 0 PID: 1 at x.c:1 f+0x1/0x2",
            "Nov 24 12:00:00 web1 sshd[12]: WARNING: CPU: 0 PID: 1 at x.c:1 f+0x1/0x2",
            "2026-11-24T12:00:00+0100 web1 app: x: loading out-of-tree module taints kernel.",
            "<12>WARNING: CPU: 0 PID: 1 at x.c:1 f+0x1/0x2",
            "12,1023,5234112,-;WARNING: CPU: 0 PID: 1 at x.c:1 f+0x1/0x2",
            "user  :notice: [   12.345678] WARNING: CPU: 0 PID: 1 at x.c:1 f+0x1/0x2",
            " SUBSYSTEM=usb",
        ] {
            assert_eq!(source.line(raw), None, "{raw}");
        }
        assert!(source.line("[    1.000000] web1 kernel: x").is_some());
        assert_eq!(
            source.line("[    1.100000] web1 app[7]: Setting dangerous option x"),
            None
        );
    }

    #[test]
    fn what_people_put_around_a_line_is_no_part_of_it() {
        for raw in [
            "kernel: @",
            "kernel: [   12.345678] @",
            "`[   12.345678] @",
            "```@```",
            "    @",
            "12:@",
        ] {
            let found = raw.replace('@', TEXT);
            let expected = if raw.starts_with([' ', '1']) {
                found.as_str()
            } else {
                TEXT
            };
            assert_eq!(line(&found).text, expected, "{raw}");
        }
        let mut source = Source::default();
        assert!(source.line("[    1.000000] a").is_some());
        assert_eq!(source.line("         ..."), None);
        assert!(source.line(&"1:".repeat(40_000)).is_some());
    }

    #[test]
    fn a_line_without_a_time_goes_on_where_the_last_was_broken() {
        let mut source = Source::default();
        assert!(!source.line("first of all").unwrap().continues);
        assert!(
            !source
                .line("[    1.000000] WARNING: CPU: 0 PID: 1 at")
                .unwrap()
                .continues
        );
        assert!(source.line("x.c:1 f+0x1/0x2").unwrap().continues);
    }

    proptest! {
        #[test]
        fn no_prefix_changes_the_text(text in "[a-zA-Z][a-zA-Z0-9 :+/_.\\[\\]-]{0,60}[a-z]", form in 1..FORMS.len()) {
            let raw = FORMS[form].0.replace('@', &text);
            // A machine and `kernel:` in front are a form of their own.
            prop_assume!(!text.contains("kernel"));
            prop_assert_eq!(line(&raw).text, text.as_str());
        }

        #[test]
        fn never_panics(lines: Vec<String>, form in 0..FORMS.len(), cut in 0..80_usize, tail: String) {
            let mut source = Source::default();
            for line in &lines { _ = source.line(line); }
            let head: String = FORMS[form].0.chars().take(cut).collect();
            _ = source.line(&format!("{head}{tail}"));
        }
    }
}
