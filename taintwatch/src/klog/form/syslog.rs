//! Lines of syslog daemons and of `journalctl`: a time, a machine, and the writer.

use super::{
    super::Line,
    bracket,
    parsed::Parsed,
    stamp::{self, Stamp},
};

/// The time begins with a name of a month or a day.
pub(super) fn stamped(line: &str) -> Parsed<'_> {
    let stamp = stamp::short(line)
        .or_else(|| stamp::ctime(line))
        .or_else(|| stamp::full(line));
    stamp.map_or(Parsed::Bare(line), |stamp| {
        logged(&stamp).map_or(Parsed::Foreign, Parsed::Line)
    })
}

/// The time begins with a year, or is the seconds since 1970.
pub(super) fn iso(line: &str) -> Parsed<'_> {
    let Some(stamp) = stamp::iso(line).or_else(|| stamp::unix(line)) else {
        return Parsed::Bare(line);
    };
    match logged(&stamp) {
        Some(line) => Parsed::Line(line),
        // `dmesg --time-format iso` writes the comma and the zone, and no writer.
        None if stamp.text.contains(',') && stamp.wall.is_some() => {
            Parsed::Line(with(&stamp, None, stamp.rest))
        }
        None => Parsed::Foreign,
    }
}

/// A recorded console: no writer is named, and what the machine printed is taken for the kernel's.
pub(super) fn console(line: &str) -> Parsed<'_> {
    if let Some(stamp) = stamp::shaped(line, b"00/00/0000 00:00:00") {
        return Parsed::Line(with(&stamp, None, stamp.rest));
    }
    // A clock alone can begin a text too.
    stamp::clock(line)
        .and_then(|stamp| unnamed(&stamp))
        .map_or(Parsed::Bare(line), Parsed::Line)
}

/// What a logger wrote behind its time, when that is the kernel's.
fn logged<'a>(stamp: &Stamp<'a>) -> Option<Line<'a>> {
    tagged(stamp).or_else(|| unnamed(stamp))
}

/// `[   12.345678] TEXT`, `HOST [   12.345678] TEXT`: no writer is named, and the time is the kernel's.
fn unnamed<'a>(stamp: &Stamp<'a>) -> Option<Line<'a>> {
    let text = stamp.rest.trim_start();
    if bracket::is_kernels(text) {
        return Some(with(stamp, None, text));
    }
    let (host, behind) = text.split_once(' ')?;
    let text = behind.trim_start();
    (!is_tag(host) && bracket::is_kernels(text)).then(|| with(stamp, Some(host), text))
}

/// `root:`, `app[42]`, `[app]`: the name of a program.
fn is_tag(word: &str) -> bool {
    word.ends_with([':', ']'])
}

/// `kern.warn: TEXT`, `HOST kernel: TEXT`, `HOST kern.warn kernel: TEXT`, `kernel: TEXT`, `HOST kernel - - - TEXT`.
///
/// Any program may log `kernel: ` as a text: behind the name of a program nothing is the kernel's.
fn tagged<'a>(stamp: &Stamp<'a>) -> Option<Line<'a>> {
    let mut rest = stamp.rest;
    let mut host = None;
    for place in 0..4 {
        if let Some(text) = rest.strip_prefix("kernel:") {
            return Some(with(stamp, host, text.strip_prefix(' ').unwrap_or(text)));
        }
        // metalog.
        if let Some(text) = rest.strip_prefix("[kernel] ").filter(|_| place == 0) {
            return Some(with(stamp, None, text));
        }
        // RFC 5424 has the program behind the machine, and nowhere else.
        if let Some(text) = rest.strip_prefix("kernel - - ").filter(|_| place == 1) {
            return Some(with(stamp, host, unstructured(text)));
        }
        let (word, behind) = rest.split_once(' ')?;
        if place == 0 && word.starts_with("kern.") && word.ends_with(':') {
            return Some(with(stamp, host, behind));
        }
        if is_tag(word) {
            return None;
        }
        if place == 0 {
            host = Some(word).filter(|word| !word.starts_with("kern."));
        }
        rest = behind.trim_start();
    }
    None
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

fn with<'a>(stamp: &Stamp<'a>, host: Option<&'a str>, text: &'a str) -> Line<'a> {
    Line {
        wall: stamp.wall,
        stamp: Some(stamp.text).filter(|_| stamp.wall.is_none()),
        host,
        ..Line::of(text)
    }
}
