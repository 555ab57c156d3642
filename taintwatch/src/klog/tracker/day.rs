//! The day and minute of `dmesg -H`: one line has them, `[Apr25 06:33]`, and those behind it count from the line before,
//! `[  +0.000013]`.
//!
//! In: lines. Out: the day and minute that holds for a line without a time of its own. util-linux writes another such
//! line when the minute changes (`record_snprint`, `sys-utils/dmesg.c`).

use crate::klog::Line;

#[derive(Debug, Default)]
pub(super) struct Day {
    stamp: Option<String>,
}

impl Day {
    /// What holds for this line.
    pub(super) fn of(&mut self, line: &Line<'_>) -> Option<String> {
        if let Some(stamp) = line.stamp {
            // Another form of times ends it.
            self.stamp = is_day(stamp).then(|| stamp.to_owned());
        } else if line.has_time() {
            self.stamp = None;
        } else if !line.continues {
            return self.stamp.clone();
        }
        None
    }
}

/// `Apr25 06:33`: no blank before the day, no seconds.
fn is_day(stamp: &str) -> bool {
    let parts = || {
        let (date, clock) = stamp.rsplit_once(' ')?;
        let digits = date.bytes().rev().take_while(u8::is_ascii_digit).count();
        let is_date = (1..=2).contains(&digits) && digits < date.len() && !date.contains(' ');
        let (hour, minute) = clock.split_once(':')?;
        let is_two = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        Some(is_date && is_two(hour) && is_two(minute))
    };
    parts().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_holds_until_another_time_comes() {
        let mut day = Day::default();
        let mut of = |stamp, since_boot, continues| {
            day.of(&Line {
                since_boot,
                stamp,
                continues,
                ..Line::default()
            })
        };
        assert_eq!(of(None, None, false), None);
        assert_eq!(of(Some("Apr25 06:33"), None, false), None);
        assert_eq!(of(None, None, false).as_deref(), Some("Apr25 06:33"));
        assert_eq!(of(None, None, true), None, "a part of the line before");
        assert_eq!(of(None, None, false).as_deref(), Some("Apr25 06:33"));
        assert_eq!(of(None, Some(5), false), None);
        assert_eq!(of(None, None, false), None);
        assert_eq!(of(Some("Tue Nov 24 12:00:00 2026"), None, false), None);
        assert_eq!(of(None, None, false), None);
    }

    #[test]
    fn a_day_has_its_number_right_behind_the_month_and_no_seconds() {
        for stamp in ["Apr25 06:33", "Apr5 06:33"] {
            assert!(is_day(stamp), "{stamp}");
        }
        for stamp in [
            "Apr 25 06:33",
            "Apr 06:33",
            "Apr125 06:33",
            "25 06:33",
            "Apr25 6:33",
            "Apr25 06:3",
            "Apr25 0x:33",
            "Apr25 06:3x",
            "Apr25 06:33:01",
            "Apr25 106:33",
        ] {
            assert!(!is_day(stamp), "{stamp}");
        }
    }
}
