//! Lines of syslog daemons and of `journalctl`: a time, a machine, and the writer.

use super::{bracket, parsed::Parsed, stamp, writer};

/// The time begins with a name of a month or a day.
pub(super) fn stamped(line: &str) -> Parsed<'_> {
    let stamp = stamp::short(line)
        .or_else(|| stamp::ctime(line))
        .or_else(|| stamp::full(line));
    stamp.map_or(Parsed::Bare(line), |stamp| writer::line(&stamp))
}

/// The time begins with a year, or is the seconds since 1970.
pub(super) fn iso(line: &str) -> Parsed<'_> {
    let Some(stamp) = stamp::iso(line).or_else(|| stamp::unix(line)) else {
        return Parsed::Bare(line);
    };
    match writer::line(&stamp) {
        Parsed::Line(line) => Parsed::Line(line),
        // `dmesg --time-format iso` writes the comma and the zone, and no writer.
        _ if stamp.text.contains(',') && stamp.wall.is_some() => {
            Parsed::Line(writer::with(&stamp, None, stamp.rest))
        }
        other => other,
    }
}

/// A recorded console: no writer is named, and what the machine printed is taken for the kernel's.
pub(super) fn console(line: &str) -> Parsed<'_> {
    if let Some(stamp) = stamp::shaped(line, b"00/00/0000 00:00:00") {
        return Parsed::Line(writer::with(&stamp, None, stamp.rest));
    }
    // A clock alone can begin a text too.
    let Some(stamp) = stamp::clock(line) else {
        return Parsed::Bare(line);
    };
    let text = stamp.rest.trim_start();
    if bracket::is_kernels(text) {
        Parsed::Line(writer::with(&stamp, None, text))
    } else {
        Parsed::Bare(line)
    }
}
