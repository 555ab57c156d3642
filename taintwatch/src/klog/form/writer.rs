//! Who wrote a line that begins with the time of a logger.
//!
//! In: the time, and what is behind it. Out: a line of the kernel's, one of a program's, or one that names no writer:
//! then its text decides.

use super::{
    super::{Line, certain::is_certain},
    bracket,
    parsed::Parsed,
    stamp::Stamp,
    word::{is_level, is_mark, is_process, is_stream},
};

/// The writer stands within so many words.
const MOST_WORDS: usize = 8;
/// A machine, a facility, and what else stands in front of the writer.
const MOST_NAMES: usize = 4;

/// `kern.warn: TEXT`, `HOST kernel: TEXT`, `HOST kern.warn kernel: TEXT`, `kernel: TEXT`, `HOST kernel - - - TEXT`,
/// `HOST [   12.345678] TEXT`, `- TEXT`.
///
/// Any program may log `kernel: ` as a text: behind the name of a program nothing is the kernel's.
pub(super) fn line<'a>(stamp: &Stamp<'a>) -> Parsed<'a> {
    let mut rest = stamp.rest.trim_start();
    let mut host = None;
    let mut names = 0;
    let mut is_open = false;
    for _ in 0..MOST_WORDS {
        if let Some(text) = kernels(rest, names) {
            // A word, a number and a clock may be the prefix of any tool: a machine follows them where `kernel:` says so.
            let is_named = stamp.is_certain() || rest.starts_with("kernel");
            return Parsed::Line(with(stamp, host.filter(|_| is_named), text));
        }
        let (word, behind) = rest.split_once(' ').unwrap_or((rest, ""));
        if word.is_empty() {
            break;
        }
        // A name that is a level is certain by what is behind it, and one of a module may be a program's.
        if names == 0 && (is_level(word) || !is_tag(word)) && is_certain(rest) {
            return unclaimed(stamp, rest, true);
        }
        let is_nobody = names == 0 && (is_mark(word) || is_stream(word));
        if is_open && !is_nobody && !is_level(word) {
            return timed(stamp, rest).map_or_else(
                || unclaimed(stamp, rest, true),
                |text| Parsed::Line(with(stamp, None, text)),
            );
        }
        is_open |= is_nobody;
        if !is_level(word) && !is_nobody && !is_channel(stamp, word) {
            if is_tag(word) {
                let is_process = is_process(word) || word.ends_with(']') || names > 0;
                return if is_process {
                    Parsed::Foreign
                } else {
                    unclaimed(stamp, rest, false)
                };
            }
            if names == 0 {
                host = Some(word).filter(|word| is_host(word));
            }
            names += 1;
            if names == MOST_NAMES {
                break;
            }
        }
        rest = behind.trim_start();
    }
    Parsed::Foreign
}

/// The text behind the kernel's own time or name, when that is next; so many names were before it.
fn kernels(rest: &str, names: usize) -> Option<&str> {
    if bracket::is_kernels(rest) {
        return Some(rest);
    }
    if let Some(text) = rest.strip_prefix("kernel:") {
        return Some(text.strip_prefix(' ').unwrap_or(text));
    }
    match names {
        // metalog, and syslogd of busybox.
        0 => rest.strip_prefix("[kernel] ").or_else(|| {
            let (word, behind) = rest.split_once(' ')?;
            (word.starts_with("kern.") && word.ends_with(':')).then_some(behind)
        }),
        // RFC 5424 has the program behind the machine, and nowhere else.
        1 => rest.strip_prefix("kernel - - ").map(unstructured),
        _ => None,
    }
}

/// The kernel's own time behind a few words, none of which names a program.
fn timed<'a>(stamp: &Stamp<'_>, mut rest: &'a str) -> Option<&'a str> {
    for _ in 0..MOST_NAMES {
        let (word, behind) = rest.split_once(' ')?;
        if is_tag(word) && !is_channel(stamp, word) {
            return None;
        }
        rest = behind.trim_start();
        if bracket::is_kernels(rest) {
            return Some(rest);
        }
    }
    None
}

/// `root:`, `app[42]`, `[app]`: the name of a program.
fn is_tag(word: &str) -> bool {
    word.ends_with([':', ']'])
}

/// Not a facility, nor a number, which is a process's or a line's, nor what ends in a mark: `17>`.
fn is_host(word: &str) -> bool {
    let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
    let ends = word.ends_with(|c: char| c.is_alphanumeric() || c == ')');
    ends && !is_number && !word.starts_with("kern.")
}

/// `[vm3]` behind a time that begins with a year; metalog, whose times begin with a month, names programs so.
fn is_channel(stamp: &Stamp<'_>, word: &str) -> bool {
    word.starts_with('[')
        && word.ends_with(']')
        && stamp.text.starts_with(|c: char| c.is_ascii_digit())
}

/// Behind the structured data of RFC 5424, which says nothing of the kernel: `- TEXT`, `[meta sequenceId="1"] TEXT`.
fn unstructured(text: &str) -> &str {
    let structured = text.starts_with('[') && bracket::time(text).is_none();
    let text = match text.split_once("\"] ") {
        Some((_, behind)) if structured => behind,
        _ => text.strip_prefix("- ").unwrap_or(text),
    };
    text.trim_start_matches('\u{feff}')
}

fn unclaimed<'a>(stamp: &Stamp<'a>, text: &'a str, is_whole: bool) -> Parsed<'a> {
    Parsed::Unclaimed {
        line: with(stamp, None, text),
        is_whole,
    }
}

pub(super) fn with<'a>(stamp: &Stamp<'a>, host: Option<&'a str>, text: &'a str) -> Line<'a> {
    Line {
        wall: stamp.wall,
        stamp: Some(stamp.text).filter(|_| stamp.wall.is_none()),
        host,
        ..Line::of(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structured_data_in_front_of_a_text_is_none_of_it() {
        for (text, expected) in [
            ("- x", "x"),
            ("[meta sequenceId=\"1\"] x", "x"),
            ("say \"a\"] x", "say \"a\"] x"),
            ("[    1.500000] \"a\"] x", "[    1.500000] \"a\"] x"),
            ("\u{feff}x", "x"),
        ] {
            assert_eq!(unstructured(text), expected, "{text}");
        }
    }

    #[test]
    fn a_channel_stands_behind_a_time_that_begins_with_a_year() {
        let stamp = |text| Stamp {
            wall: None,
            text,
            rest: "",
        };
        let (year, month) = (stamp("2026-11-24 12:00:00"), stamp("Nov 24 12:00:00"));
        assert!(is_channel(&year, "[vm3]"));
        assert!(!is_channel(&month, "[vm3]"));
        assert!(!is_channel(&year, "[vm3"));
        assert!(!is_channel(&year, "vm3]"));
    }

    #[test]
    fn a_word_that_is_no_english_month_is_followed_by_a_machine_only_with_the_kernels_name() {
        let host = |text: &'static str| {
            let stamp = super::super::stamp::short(text).unwrap();
            match line(&stamp) {
                Parsed::Line(line) => line.host,
                _ => panic!("it is the kernel's: {text}"),
            }
        };
        assert_eq!(host("Nov 24 12:00:00 web1 [   12.345678] x"), Some("web1"));
        assert_eq!(
            host("okt 24 12:00:00 web1 kernel: [   12.345678] x"),
            Some("web1")
        );
        assert_eq!(host("aa 01 00:00:00 bb [   12.345678] x"), None);
    }
}
