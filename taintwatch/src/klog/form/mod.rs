//! The forms in which kernel logs are stored and copied, line by line.
//!
//! In: one line of a file. Out: the kernel's own text, with what the prefix says of time, writer and machine; nothing
//! for lines that the kernel did not write. The form is detected for each line: a known one by its first byte, else by
//! the first time of the kernel or of a logger in the line, else by a text that only a kernel prints. What one line
//! does not show (whether a line without a time continues the one before, the shape of an unknown prefix) is kept for
//! the source.

mod around;
mod bracket;
mod inside;
mod joined;
mod kmsg;
mod logcat;
mod parsed;
mod shape;
mod stamp;
mod syslog;
#[cfg(test)]
mod tests;
mod word;
mod writer;

use super::{Line, certain::is_certain};
pub(super) use around::bare;
pub(super) use bracket::{is_kernels, seconds};
pub(super) use logcat::unpadded;
use parsed::Parsed;
use shape::Shape;

/// What a line begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// A prefix.
    Record,
    /// Something else, and then a prefix.
    Inside,
    /// No prefix.
    Text,
}

/// What the lines so far show of their source.
#[derive(Debug, Default)]
pub struct Source {
    /// Lines have a time: one without goes on where the last was broken.
    is_stamped: bool,
    /// The last line was the kernel's.
    is_kernels: bool,
    /// The last line was a program's.
    is_foreign: bool,
    /// The machine of `journalctl -o short-monotonic`, whose lines look like the kernel's own; empty where it is left out.
    monotonic_host: Option<String>,
    /// An unknown prefix, by a line that is a kernel's by its text.
    shape: Option<Shape>,
    number: u64,
}

/// Whether a word behind the time of a logger is no machine: the level of a message, the stream that it came through.
pub(super) fn is_no_machine(word: &str) -> bool {
    word::is_level(word) || word::is_stream(word)
}

impl Source {
    /// Takes a line apart; `None` when the kernel did not write it.
    pub fn line<'a>(&mut self, raw: &'a str) -> Option<Line<'a>> {
        self.number += 1;
        self.numbered(raw, self.number)
    }

    /// A line, and its place in the file.
    pub(super) fn numbered<'a>(&mut self, raw: &'a str, number: u64) -> Option<Line<'a>> {
        let raw = bare(raw);
        if raw.is_empty() {
            return None;
        }
        let parsed = self.decided(raw);
        self.is_foreign = matches!(parsed, Parsed::Foreign);
        let found = match parsed {
            Parsed::Line(line) => {
                self.is_stamped |= line.has_time();
                Some(Line {
                    text: inside::unmarked(raw, line.text),
                    ..line
                })
            }
            Parsed::Foreign | Parsed::Unclaimed { .. } => None,
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
                number
            } else {
                line.number
            },
            ..line
        })
    }

    /// A line whose writer is not named is the kernel's by its text, or by a prefix of the same shape as that of a line
    /// that is.
    fn decided<'a>(&mut self, raw: &'a str) -> Parsed<'a> {
        match self.parse(raw) {
            Parsed::Unclaimed { line, is_whole } => {
                let prefix = raw.get(..raw.len() - line.text.len());
                let shape = prefix.and_then(Shape::of);
                let is_known = shape.is_some() && shape == self.shape;
                if is_known || is_whole && is_certain(line.text) {
                    self.shape = shape.or(self.shape.take());
                    Parsed::Line(line)
                } else {
                    Parsed::Foreign
                }
            }
            Parsed::Bare(text) => {
                if let Some((text, shape)) = inside::certain(text) {
                    self.shape = shape.or(self.shape.take());
                    return Parsed::Line(Line::of(text));
                }
                let within = self.shape.as_ref().and_then(|shape| shape.strip(text));
                within.map_or(Parsed::Bare(text), |text| Parsed::Line(Line::of(text)))
            }
            known => known,
        }
    }

    /// How a line begins, by itself.
    pub(super) fn beginning(&mut self, raw: &str) -> Beginning {
        let raw = bare(raw);
        match self.known(raw) {
            Parsed::Bare(_) => {}
            _ => return Beginning::Record,
        }
        match inside::timed(raw) {
            Parsed::Bare(_) => {}
            Parsed::Foreign => return Beginning::Record,
            _ => return Beginning::Inside,
        }
        let is_known = self
            .shape
            .as_ref()
            .is_some_and(|shape| shape.strip(raw).is_some());
        if is_known || inside::certain(raw).is_some() {
            Beginning::Record
        } else {
            Beginning::Text
        }
    }

    /// Whether a text can only be a record of a kernel's: by its time, or by its words.
    pub(super) fn is_record(&mut self, text: &str) -> bool {
        let line = match self.parse(bare(text)) {
            Parsed::Line(line) | Parsed::Unclaimed { line, .. } => line,
            Parsed::Bare(text) => Line::of(text),
            Parsed::Foreign => return false,
        };
        line.since_boot.is_some() || is_certain(line.text)
    }

    /// Where the next record begins in a line that holds more than one; the first was read from it.
    pub(super) fn second(&mut self, raw: &str, first: &Line<'_>) -> Option<usize> {
        let at = joined::second(raw, first)?;
        let next = match self.parse(raw.get(at..)?) {
            Parsed::Line(next) => next,
            Parsed::Foreign => return Some(at),
            _ => return None,
        };
        let goes_on = match (first.since_boot, next.since_boot) {
            (Some(first), Some(next)) => first <= next,
            // A time of the kernel's own and one of a logger are of two logs.
            (None, None) => next.has_time(),
            _ => false,
        };
        goes_on.then_some(at)
    }

    /// Whether lines have a time: one without is then the rest of another.
    pub(super) fn is_stamped(&self) -> bool {
        self.is_stamped
    }

    /// Whether the last line was written by a program.
    pub(super) fn is_foreign(&self) -> bool {
        self.is_foreign
    }

    fn parse<'a>(&mut self, raw: &'a str) -> Parsed<'a> {
        self.known(raw).or_else(|| inside::timed(raw))
    }

    /// A form that the line begins with.
    fn known<'a>(&mut self, raw: &'a str) -> Parsed<'a> {
        let first = raw.as_bytes().first().copied().unwrap_or_default();
        match first {
            b'[' => self.bracket(raw).inside(),
            b'<' => self.priority(raw),
            b'0'..=b'9' => kmsg::record(raw)
                .or_else(|| logcat::line(raw).inside())
                .or_else(|| syslog::iso(raw).inside())
                .or_else(|| syslog::console(raw).inside())
                .or_else(|| bracket::cut(raw).map_or(Parsed::Bare(raw), Parsed::Line))
                .or_else(|| syslog::stamped(raw).inside()),
            // What syslogd shows to all users who are logged in.
            b' ' if raw.starts_with(" kernel:") => {
                Parsed::Line(Line::of(raw.trim_start_matches(" kernel:"))).inside()
            }
            // Further fields of a record of /dev/kmsg.
            b' ' if kmsg::is_field(raw) => Parsed::Foreign,
            b' ' => bracket::cut(raw.trim_start()).map_or(Parsed::Bare(raw), Parsed::Line),
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

    /// `[   12.345678] text`, or `[   12.345678] host kernel: text` of the journal.
    fn bracket<'a>(&mut self, raw: &'a str) -> Parsed<'a> {
        if bracket::is_firmwares(raw) {
            return Parsed::Foreign;
        }
        let Some(line) = bracket::time(raw)
            .or_else(|| bracket::recorded(raw))
            .or_else(|| bracket::called(raw))
        else {
            return Parsed::Bare(raw);
        };
        let mut words = line.text.splitn(3, ' ');
        let (host, tag, text) = (words.next(), words.next(), words.next());
        if host == Some("kernel:") {
            self.monotonic_host.get_or_insert_default();
            let text = line.text.strip_prefix("kernel: ");
            return Parsed::Line(Line {
                text: text.unwrap_or_default(),
                ..line
            });
        }
        if let (Some(host), Some("kernel:")) = (host, tag)
            && !host.contains(':')
            && !host.is_empty()
        {
            self.monotonic_host = Some(host.to_owned());
            return Parsed::Line(Line {
                text: text.unwrap_or_default(),
                host: Some(host).filter(|host| !word::is_level(host)),
                ..line
            });
        }
        let Some(known) = self.monotonic_host.as_deref() else {
            return Parsed::Line(line);
        };
        let is_program = if known.is_empty() {
            host.is_some_and(word::is_process)
        } else {
            host == Some(known) && tag.is_some_and(|tag| tag.ends_with(':'))
        };
        if is_program {
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
        // The priority says that it is the kernel's.
        let outer = match outer {
            Parsed::Unclaimed {
                line,
                is_whole: true,
            } => Parsed::Line(line),
            outer => outer,
        };
        outer.inside().or_else(|| match self.bracket(rest) {
            Parsed::Bare(_) => Parsed::Line(Line::of(rest)),
            line => line,
        })
    }
}
