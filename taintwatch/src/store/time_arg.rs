//! A point in time as a user gives it.
//!
//! In: RFC 3339, a date, or a time ago. Out: the time.

use std::str::FromStr;

use jiff::{Span, SpanRelativeTo, Timestamp};

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeArg(pub Timestamp);

impl FromStr for TimeArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let time = match text.strip_prefix('-') {
            Some(length) => ago(length),
            None => at(text),
        };
        time.map(Self).ok_or(
            "give a time as 2026-01-02T03:04:05Z, a date as 2026-01-02 (its beginning in UTC), or a time ago as -2h or -3d",
        )
    }
}

fn at(text: &str) -> Option<Timestamp> {
    let midnight = |_not_a_time| format!("{text}T00:00:00Z").parse();
    text.parse().or_else(midnight).ok()
}

/// A day is 24 hours; months and years have no one length.
fn ago(length: &str) -> Option<Timestamp> {
    let length: Span = length.parse().ok()?;
    let length = length
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .ok()?;
    // `-2h ago` and `--2h` would be in the future: refused.
    let length = Some(length).filter(|length| !length.is_negative())?;
    Timestamp::now().checked_sub(length).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Timestamp, &'static str> {
        text.parse().map(|time: TimeArg| time.0)
    }

    #[test]
    fn times_and_dates() {
        for (text, expected) in [
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
            ("2026-01-02 03:04:05Z", "2026-01-02T03:04:05Z"),
            ("2026-01-02T03:04:05+01:00", "2026-01-02T02:04:05Z"),
            ("2026-01-02", "2026-01-02T00:00:00Z"),
        ] {
            assert_eq!(parsed(text), Ok(expected.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn a_time_ago() {
        for (text, hours) in [("-2h", 2), ("-2d", 48), ("-1w", 168), ("-1d12h", 36)] {
            let ago = Timestamp::now().as_second() - parsed(text).unwrap().as_second();
            assert!((ago - hours * 3600).abs() < 60, "{text}: {ago}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_what_to_give() {
        for text in [
            "yesterday",
            "2h",
            "",
            "-",
            "--2h",
            "-2",
            "-1mo",
            "-2h ago",
            "2026-01-02T03:04",
            "2026-13-02",
            "-99999999999d",
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.contains("give a time as 2026-"), "{text}: {error}");
        }
    }
}
