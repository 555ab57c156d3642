//! The forms in which kernel logs are stored and copied, line by line.
//!
//! In: one line of a file. Out: the kernel's own text, with what the prefix says of time, writer and machine; nothing
//! for lines that the kernel did not write. The form is detected for each line, by its first byte; what one line
//! does not show (whether a line without a time continues the one before) is kept for the source.

mod around;
mod bracket;
mod kmsg;
mod logcat;
mod parsed;
mod stamp;
mod syslog;
#[cfg(test)]
mod tests;

use super::Line;
pub(super) use bracket::seconds;
pub(super) use logcat::unpadded;
use parsed::Parsed;

/// What the lines so far show of their source.
#[derive(Debug, Default)]
pub struct Source {
    /// Lines have a time: one without goes on where the last was broken.
    is_stamped: bool,
    /// The last line was the kernel's.
    is_kernels: bool,
    /// The last line was a program's.
    is_foreign: bool,
    /// The machine of `journalctl -o short-monotonic`, whose lines look like the kernel's own.
    monotonic_host: Option<String>,
    number: u64,
}

impl Source {
    /// Takes a line apart; `None` when the kernel did not write it.
    pub fn line<'a>(&mut self, raw: &'a str) -> Option<Line<'a>> {
        self.number += 1;
        let raw = around::bare(raw);
        if raw.is_empty() {
            return None;
        }
        let parsed = self.parse(raw);
        self.is_foreign = matches!(parsed, Parsed::Foreign);
        let found = match parsed {
            Parsed::Line(line) => {
                self.is_stamped |= line.has_time();
                Some(line)
            }
            Parsed::Foreign => None,
            // The rest of a program's line.
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

    /// Whether lines have a time: one without is then the rest of another.
    pub(super) fn is_stamped(&self) -> bool {
        self.is_stamped
    }

    /// Whether the last line was written by a program.
    pub(super) fn is_foreign(&self) -> bool {
        self.is_foreign
    }

    /// What a line adds to the one before, when it has no prefix that makes it one of its own.
    pub(super) fn rest<'a>(&mut self, raw: &'a str) -> Option<&'a str> {
        match self.parse(around::bare(raw)) {
            Parsed::Bare(text) => Some(text).filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    fn parse<'a>(&mut self, raw: &'a str) -> Parsed<'a> {
        let first = raw.as_bytes().first().copied().unwrap_or_default();
        match first {
            b'[' => self.bracket(raw).inside(),
            b'<' => self.priority(raw),
            b'0'..=b'9' => kmsg::record(raw)
                .or_else(|| logcat::line(raw).inside())
                .or_else(|| syslog::iso(raw).inside())
                .or_else(|| syslog::console(raw).inside())
                .or_else(|| bracket::cut(raw).map_or(Parsed::Bare(raw), Parsed::Line))
                .or_else(|| syslog::stamped(raw).inside())
                .or_else(|| self.within(raw, around::numbered(raw))),
            // What syslogd shows to all users who are logged in.
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

    /// A line behind blanks or a number that were added: only a time shows that they are no part of it.
    fn within<'a>(&mut self, raw: &'a str, inner: Option<&'a str>) -> Parsed<'a> {
        match inner.map(|inner| self.parse(inner)) {
            Some(Parsed::Line(line)) if line.has_time() => Parsed::Line(line),
            Some(Parsed::Foreign) => Parsed::Foreign,
            _ => Parsed::Bare(raw),
        }
    }

    /// `[   12.345678] text`, or `[   12.345678] host kernel: text` of the journal.
    fn bracket<'a>(&mut self, raw: &'a str) -> Parsed<'a> {
        let Some(line) = bracket::time(raw).or_else(|| bracket::recorded(raw)) else {
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

    /// `<4>…`: by the kernel when the facility is 0; programs may write to /dev/kmsg with another.
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
