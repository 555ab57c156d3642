//! Times as loggers write them.
//!
//! In: the beginning of a line. Out: the time, and what is behind it. A time without year or zone is no timestamp: it
//! is kept as it is written.

use jiff::Timestamp;

/// A time in front of a line.
pub(super) struct Stamp<'a> {
    pub(super) wall: Option<Timestamp>,
    pub(super) text: &'a str,
    pub(super) rest: &'a str,
}

/// `2026-11-24T12:00:00.123456+01:00 `, with a comma or without a colon in the zone as dmesg and the journal have it.
pub(super) fn iso(line: &str) -> Option<Stamp<'_>> {
    let bytes = line.as_bytes();
    let shape = bytes.get(..19)?;
    let is_date =
        shape.get(4) == Some(&b'-') && shape.get(7) == Some(&b'-') && shape.get(13) == Some(&b':');
    let divider = *shape.get(10)?;
    if !is_date || !matches!(divider, b'T' | b' ') {
        return None;
    }
    let end = line.get(19..)?.find(' ')? + 19;
    let (text, rest) = (line.get(..end)?, line.get(end + 1..)?);
    let is_zone = |byte: u8| byte.is_ascii_digit() || b".,:+-Zz".contains(&byte);
    if !text.get(19..)?.bytes().all(is_zone) {
        return None;
    }
    Some(Stamp {
        wall: timestamp(text),
        text,
        rest,
    })
}

/// Only with a zone, whose colon may be missing.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    text.replacen(',', ".", 1).parse().ok()
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

impl Stamp<'_> {
    /// It does not begin with a word that is a month only in some language.
    pub(super) fn is_certain(&self) -> bool {
        let word = self.text.split(' ').next().unwrap_or_default();
        !is_month(word) || MONTHS.contains(&word) || DAYS.contains(&word)
    }
}

/// `1795521600.123456 ` of `journalctl -o short-unix`.
pub(super) fn unix(line: &str) -> Option<Stamp<'_>> {
    let (text, rest) = line.split_once(' ')?;
    let (seconds, fraction) = text.split_once('.')?;
    let wall = (seconds.len() >= 9 && fraction.len() == 6).then(|| {
        let micros = format!("{seconds}{fraction}").parse().ok()?;
        Timestamp::from_microsecond(micros).ok()
    })?;
    wall.is_some().then_some(Stamp { wall, text, rest })
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// `Nov 24 12:00:00[.123456] `, the month in any language: neither year nor zone.
pub(super) fn short(line: &str) -> Option<Stamp<'_>> {
    let (month, behind) = line.split_once(' ')?;
    let (day, behind) = behind.trim_start().split_once(' ')?;
    let (clock, rest) = behind.split_once(' ').unwrap_or((behind, ""));
    let is_clock = clock.as_bytes().get(2) == Some(&b':') && clock.as_bytes().get(5) == Some(&b':');
    let is_day = day.len() <= 2 && day.bytes().all(|byte| byte.is_ascii_digit());
    let text = line.get(..line.len() - rest.len())?.trim_end();
    (is_clock && is_day && is_month(month)).then_some(Stamp {
        wall: None,
        text,
        rest,
    })
}

/// `Nov`, `Okt`, `кві`, `janv.`, `11月`.
pub(super) fn is_month(word: &str) -> bool {
    let name = word.trim_end_matches('.');
    let counted = name.strip_suffix(['月', '월']).unwrap_or_default();
    (2..=6).contains(&name.chars().count())
        && (name.chars().all(char::is_alphabetic)
            || !counted.is_empty() && counted.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `Tue Nov 24 12:00:00 2026 `, without zone.
pub(super) fn ctime(line: &str) -> Option<Stamp<'_>> {
    let day = line.get(..3)?;
    let short = short(line.get(4..).filter(|_| DAYS.contains(&day))?)?;
    let year = short.rest.get(..4)?;
    let is_year = year.bytes().all(|byte| byte.is_ascii_digit());
    let behind = short.rest.get(4..)?;
    let text = line.get(..line.len() - behind.len())?;
    is_year.then_some(Stamp {
        wall: None,
        text,
        rest: behind.strip_prefix(' ').unwrap_or(behind),
    })
}

/// `Tue Nov 24 12:00:00 2026`, `Di 24. Nov 12:00:00 2026`, `二 11月 24 12:00:00 2026`: a whole text that is such a time,
/// with names and order as any language has them.
pub(super) fn is_ctime(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace();
    let mut word = || words.next().unwrap_or_default();
    let (day, first, second, clock, year) = (word(), word(), word(), word(), word());
    let is_number = |text: &str, len| {
        (1..=len).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_date = |month: &str, date: &str| {
        is_month(month) && is_number(date.trim_end_matches(['.', '日', '일']), 2)
    };
    (1..=5).contains(&day.chars().count())
        && day.starts_with(char::is_alphabetic)
        && (is_date(first, second) || is_date(second, first))
        && clock.get(2..3) == Some(":")
        && clock.get(5..6) == Some(":")
        && year.len() == 4
        && is_number(year, 4)
        && words.next().is_none()
}

/// A time of exactly this shape: a 0 stands for any digit.
pub(super) fn shaped<'a>(line: &'a str, shape: &[u8]) -> Option<Stamp<'a>> {
    let text = line.get(..shape.len())?;
    let fits = text
        .bytes()
        .zip(shape)
        .all(|(byte, shape)| byte == *shape || *shape == b'0' && byte.is_ascii_digit());
    let rest = line.get(shape.len()..)?.strip_prefix(' ')?;
    fits.then_some(Stamp {
        wall: None,
        text,
        rest,
    })
}

/// `12:34:56.789 ` of programs that record a serial console.
pub(super) fn clock(line: &str) -> Option<Stamp<'_>> {
    let (text, rest) = line.split_once(' ')?;
    let text = text.trim_end_matches(':');
    (is_digits(text) && text.len() >= 8 && text.matches(':').count() == 2).then_some(Stamp {
        wall: None,
        text,
        rest,
    })
}

/// `12:34:56.789`, `2024-05-01 12:34:56`, as those programs write it in brackets.
pub(super) fn is_digits(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_digit() || b":.,-/+TZ ".contains(&byte);
    text.len() < 40 && text.bytes().all(fits) && text.matches(':').count() >= 2
}

/// `Tue 2026-11-24 12:00:00[.123456] UTC ` of `journalctl -o short-full`. Only UTC is sure to be what it says.
pub(super) fn full(line: &str) -> Option<Stamp<'_>> {
    let day = line.get(..3)?;
    let date = iso(line.get(4..).filter(|_| DAYS.contains(&day))?)?;
    let (zone, rest) = date.rest.split_once(' ')?;
    let is_zone = (2..=5).contains(&zone.len())
        && zone.bytes().all(|byte| {
            byte.is_ascii_uppercase() || byte == b'+' || byte == b'-' || byte.is_ascii_digit()
        });
    let text = line.get(..line.len() - rest.len() - 1)?;
    let utc = || format!("{}Z", date.text).parse().ok();
    let wall = if zone == "UTC" { utc() } else { None };
    is_zone.then_some(Stamp { wall, text, rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(stamp: Option<Stamp<'_>>) -> Option<String> {
        stamp?.wall.map(|time| time.to_string())
    }

    #[test]
    fn a_zone_is_read_with_and_without_its_colon() {
        let noon = Some("2026-11-24T11:00:00Z".to_owned());
        for text in ["2026-11-24T12:00:00+01:00", "2026-11-24T12:00:00+0100"] {
            assert_eq!(timestamp(text).map(|time| time.to_string()), noon, "{text}");
        }
        let comma = timestamp("2026-11-24T12:00:00,5-0130").unwrap();
        assert_eq!(comma.to_string(), "2026-11-24T13:30:00.5Z");
        assert_eq!(timestamp("2026-11-24T12:00:00"), None, "no zone");
        assert_eq!(timestamp("2026-11-24T12:00:00+01x0"), None);
    }

    #[test]
    fn seconds_since_1970_have_six_digits_behind_the_point() {
        let read = |text: &str| wall(unix(text));
        let expected = Some("2026-11-24T10:40:00.123456Z".to_owned());
        assert_eq!(read("1795516800.123456 host"), expected);
        assert_eq!(read("1795516800.123 host"), None);
        assert_eq!(read("12345.123456 host"), None, "since the boot");
    }

    #[test]
    fn a_short_time_has_month_day_and_clock() {
        for line in [
            "Nov 24 12:00:00 x",
            "Nov  4 12:00:00.123456 x",
            "11月 24 12:00:00 x",
            "janv. 24 12:00:00 x",
        ] {
            let stamp = short(line).unwrap();
            assert_eq!((stamp.rest, stamp.wall), ("x", None), "{line}");
            assert_eq!(stamp.text, line.strip_suffix(" x").unwrap());
        }
        for line in [
            "Nov 24 12x00:00 x",
            "Nov 24 12:00x00 x",
            "Nov 224 12:00:00 x",
            "Nov 2a 12:00:00 x",
            "N 24 12:00:00 x",
            "11 24 12:00:00 x",
            "月 24 12:00:00 x",
            "a1月 24 12:00:00 x",
            "N-v 24 12:00:00 x",
        ] {
            assert!(short(line).is_none(), "{line}");
        }
    }

    #[test]
    fn a_time_of_ctime_is_that_and_nothing_else() {
        for text in [
            "Tue Nov 24 12:00:00 2026",
            "Di 24. Nov 12:00:00 2026",
            "二 11月 24 12:00:00 2026",
            "Tue Nov 24日 12:00:00 2026",
        ] {
            assert!(is_ctime(text), "{text}");
        }
        for text in [
            "123456 Nov 24 12:00:00 2026",
            "2ue Nov 24 12:00:00 2026",
            "Tue Nov Nov 12:00:00 2026",
            "Tue 24 24 12:00:00 2026",
            "Tue Nov 24 12x00:00 2026",
            "Tue Nov 24 12:00x00 2026",
            "Tue Nov 24 12:00:00 202",
            "Tue Nov 24 12:00:00 202x",
            "Tue Nov 24 12:00:00 2026 x",
            "Tue Nov 124 12:00:00 2026",
            "Tue Nov x4 12:00:00 2026",
        ] {
            assert!(!is_ctime(text), "{text}");
        }
        let stamp = ctime("Tue Nov 24 12:00:00 2026 x").unwrap();
        assert_eq!((stamp.text, stamp.rest), ("Tue Nov 24 12:00:00 2026", "x"));
        assert!(ctime("Xue Nov 24 12:00:00 2026 x").is_none());
    }

    #[test]
    fn a_shape_takes_any_digit_for_its_zeros() {
        let stamp = shaped("24/11/26 12:00 x", b"00/00/00 00:00").unwrap();
        assert_eq!((stamp.text, stamp.rest), ("24/11/26 12:00", "x"));
        assert!(shaped("24/11/2x 12:00 x", b"00/00/00 00:00").is_none());
        assert!(shaped("24-11/26 12:00 x", b"00/00/00 00:00").is_none());
    }

    #[test]
    fn a_clock_of_a_serial_console_has_two_colons() {
        for (line, text) in [
            ("12:34:56.789 x", "12:34:56.789"),
            ("12:34:56: x", "12:34:56"),
        ] {
            let stamp = clock(line).unwrap();
            assert_eq!((stamp.text, stamp.rest), (text, "x"), "{line}");
        }
        for line in [
            "12:34 x",
            "1:2:3 x",
            "12:34:56:78 x",
            "12:34:5a x",
            "12:34:56",
        ] {
            assert!(clock(line).is_none(), "{line}");
        }
        assert!(is_digits("2024-05-01 12:34:56"));
        assert!(!is_digits("2024-05-01 12:34"));
        assert!(!is_digits("2024-05-01 12:34:5x"));
        assert!(is_digits(&format!("12:34:56{}", " ".repeat(31))));
        assert!(
            !is_digits(&format!("12:34:56{}", " ".repeat(32))),
            "too long"
        );
    }

    #[test]
    fn a_full_time_is_sure_in_utc_alone() {
        let read = |line| full(line).map(|stamp| (stamp.text, stamp.rest, stamp.wall.is_some()));
        let text = "Tue 2026-11-24 12:00:00 UTC";
        assert_eq!(
            read("Tue 2026-11-24 12:00:00 UTC web1 x"),
            Some((text, "web1 x", true))
        );
        let utc = wall(full("Tue 2026-11-24 12:00:00.5 UTC x"));
        assert_eq!(utc.as_deref(), Some("2026-11-24T12:00:00.5Z"));
        for zone in ["CET", "+03", "-0330"] {
            let text = format!("Tue 2026-11-24 12:00:00 {zone}");
            let line = format!("{text} x");
            let stamp = full(&line).unwrap();
            assert_eq!((stamp.text, stamp.rest), (text.as_str(), "x"));
            assert_eq!(stamp.wall, None);
        }
        for line in [
            "Tue 2026-11-24 12:00:00 web1 x",
            "Tue 2026-11-24 12:00:00 U x",
            "Xue 2026-11-24 12:00:00 UTC x",
            "Tue 2026-11-24 12:00:00 _TC x",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
