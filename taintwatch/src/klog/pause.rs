//! Pauses that no report has.
//!
//! In: when the last line was written, and a line. Out: whether too long a time lies between. The clock of the kernel
//! counts where both have it, then the wall's, then the hour and minute as they are written: of a written day no more
//! is read than whether it is the same.

use super::{Line, Moment};

/// On a slow console neither.
const LONGEST_NS: u64 = 5_000_000_000;
/// What writes the wall's time can have waited for the kernel itself, and counts in seconds.
const LONGEST_BY_WALL: i64 = 30;
const DAY: i64 = 24 * 60 * 60;

pub(super) fn lies_between(last: &Moment, line: &Line<'_>) -> bool {
    if let (Some(last), Some(now)) = (last.since_boot, line.since_boot) {
        return now > last.saturating_add(LONGEST_NS);
    }
    if let (Some(last), Some(now)) = (last.wall, line.wall) {
        return last.as_second().abs_diff(now.as_second()) > LONGEST_BY_WALL.unsigned_abs();
    }
    let written = last.stamp.as_deref().zip(line.stamp);
    written.is_some_and(|(last, now)| by_stamp(last, now).unwrap_or(false))
}

/// A clock that goes back was set, or belongs to another log.
fn by_stamp(last: &str, now: &str) -> Option<bool> {
    let ((last_day, last), (day, now)) = (clock(last)?, clock(now)?);
    let apart = if last_day == day {
        (now - last).abs()
    } else {
        now + DAY - last
    };
    Some(apart > LONGEST_BY_WALL)
}

/// What stands before `12:00:00`, and the seconds of the day.
fn clock(stamp: &str) -> Option<(&str, i64)> {
    let colon = stamp.find(':')?;
    let begin = colon.checked_sub(2)?;
    let part = |from: usize| stamp.get(from..from + 2)?.trim_start().parse::<i64>().ok();
    let seconds = part(begin)? * 3600 + part(begin + 3)? * 60 + part(begin + 6)?;
    Some((stamp.get(..begin)?, seconds))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hours_are_a_pause_and_midnight_is_none() {
        for (last, now, expected) in [
            (
                "Tue Nov 24 12:00:00 2026",
                "Tue Nov 24 12:00:01 2026",
                false,
            ),
            ("Tue Nov 24 12:00:00 2026", "Tue Nov 24 15:00:00 2026", true),
            (
                "Tue Nov 24 23:59:59 2026",
                "Wed Nov 25 00:00:01 2026",
                false,
            ),
            ("Tue Nov 24 12:00:00 2026", "Wed Nov 25 12:00:00 2026", true),
            ("Tue Nov 24 23:00:00 2026", "Wed Nov 25 00:00:10 2026", true),
            ("Tue Nov 24 23:00:00 2026", "Wed Nov 25 00:00:00 2026", true),
            (
                "Tue Nov 24 23:59:59 2026",
                "Wed Nov 25 00:00:02 2026",
                false,
            ),
            ("Jun  1 10:00:00", "Jun  1 10:10:00", true),
            ("Jun  1 10:00:00", "Jun  1 09:00:00", true),
            ("2026-11-24T12:00:00.123", "2026-11-24T12:00:02.456", false),
            ("yesterday", "today", false),
        ] {
            let before = Line {
                stamp: Some(last),
                ..Line::default()
            };
            let line = Line {
                stamp: Some(now),
                ..Line::default()
            };
            assert_eq!(
                lies_between(&(&before).into(), &line),
                expected,
                "{last} {now}"
            );
        }
    }

    #[test]
    fn the_wall_counts_where_the_kernels_clock_is_not_known() {
        let at = |seconds: i64, since_boot| Line {
            wall: jiff::Timestamp::from_second(seconds).ok(),
            since_boot,
            ..Line::default()
        };
        assert!(lies_between(&(&at(0, None)).into(), &at(60, Some(1))));
        assert!(!lies_between(&(&at(0, Some(0))).into(), &at(60, Some(1))));
        assert!(lies_between(
            &(&at(0, Some(0))).into(),
            &at(6, Some(6_000_000_000))
        ));
    }

    proptest! {
        #[test]
        fn never_panics(last in ".*", now in "[0-9: ]*") { _ = by_stamp(&last, &now); }
    }

    #[test]
    fn a_pause_is_longer_than_the_longest_report() {
        let at = |last, now| by_stamp(last, now).unwrap();
        let longest = format!("Jun  1 10:00:{LONGEST_BY_WALL:02}");
        assert!(!at("Jun  1 10:00:00", &longest));
        assert!(at("Jun  1 09:59:59", &longest));
        // Over midnight.
        assert!(at("Jun  1 23:59:59", "Jun  2 00:01:59"));
        assert!(!at("Jun  1 23:59:59", "Jun  2 00:00:00"));
    }

    #[test]
    fn the_longest_time_is_no_pause_yet() {
        let boot = |since_boot| Line {
            since_boot: Some(since_boot),
            ..Line::default()
        };
        let last = (&boot(7)).into();
        assert!(!lies_between(&last, &boot(7 + LONGEST_NS)));
        assert!(lies_between(&last, &boot(8 + LONGEST_NS)));
        let wall = |seconds| Line {
            wall: jiff::Timestamp::from_second(seconds).ok(),
            ..Line::default()
        };
        let last = (&wall(7)).into();
        assert!(!lies_between(&last, &wall(7 + LONGEST_BY_WALL)));
        assert!(lies_between(&last, &wall(8 + LONGEST_BY_WALL)));
    }
}
