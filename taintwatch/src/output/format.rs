//! Values as text: times, lengths, numbers, tasks, and what each confidence means.
//!
//! In: values of events. Out: plain text, not yet escaped for any medium.

use jiff::SignedDuration;

use super::limits::Limits;
use crate::event::{Cause, Confidence, Event, Task, Time};

/// A time to the second, in UTC.
#[must_use]
pub fn clock(time: Time) -> String {
    time.0.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[must_use]
pub fn day(time: Time) -> String {
    time.0.strftime("%Y-%m-%d").to_string()
}

/// The time of the day to the millisecond.
#[must_use]
pub fn time_of_day(time: Time) -> String {
    time.0.strftime("%H:%M:%S%.3f").to_string()
}

/// A length by its two largest units: `3 d 4 h`, `12.3 s`.
#[must_use]
pub fn length(length: SignedDuration) -> String {
    let seconds = length.as_secs().unsigned_abs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => {
            let tenths = length.as_millis().unsigned_abs() / 100;
            format!("{}.{} s", tenths / 10, tenths % 10)
        }
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// The first line of a text, and a mark where there are more.
#[must_use]
pub fn first_line(text: &str) -> String {
    let mut lines = text.trim().lines();
    let first = lines.next().unwrap_or_default();
    if lines.next().is_some() {
        format!("{first} …")
    } else {
        first.to_owned()
    }
}

/// The first items of a list, and how many more there are.
#[must_use]
pub fn list<T: AsRef<str>>(items: &[T], limits: Limits) -> String {
    let (shown, more) = limits.first(items);
    let mut shown: Vec<_> = shown.iter().map(|item| item.as_ref().to_owned()).collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown.join(", ")
}

/// `once`, `2 times`.
#[must_use]
pub fn times(count: u64) -> String {
    match count {
        0 => "not recorded".to_owned(),
        1 => "once".to_owned(),
        _ => format!("{count} times"),
    }
}

/// `1 boot`, `2 boots`.
#[must_use]
pub fn number(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// What a confidence means.
#[must_use]
pub const fn meaning(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Observed => "a hook in the kernel saw it when it happened",
        Confidence::Logged => "a line of the kernel log shows it, with its time",
        Confidence::Listed => "a loaded module carries the flag; when it was set is not known",
        Confidence::Unattributed => "only the bit is known, and not what set it",
    }
}

/// The layers that an event's cause rests on.
#[must_use]
pub fn sources(event: &Event) -> String {
    event
        .cause
        .as_ref()
        .map(Cause::source_descriptions)
        .unwrap_or_default()
}

/// A task, with its user, unit and container.
#[must_use]
pub fn task(task: &Task) -> String {
    let command = if task.cmdline.is_empty() {
        task.comm.clone()
    } else {
        task.cmdline.join(" ")
    };
    let mut text = format!("{command} (pid {}", task.pid);
    for (what, value) in [("uid", task.uid), ("logged in as uid", task.auid)] {
        if let Some(value) = value {
            text = format!("{text}, {what} {value}");
        }
    }
    for (what, value) in [("unit", &task.unit), ("container", &task.container)] {
        if let Some(value) = value {
            text = format!("{text}, {what} {value}");
        }
    }
    text + ")"
}

/// The processes above a task, the parent first.
#[must_use]
pub fn ancestors(task: &Task) -> Option<String> {
    let above = task.ancestors.iter();
    let words: Vec<_> = above
        .map(|it| format!("{} ({})", it.comm, it.pid))
        .collect();
    (!words.is_empty()).then(|| words.join(" < "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_two_units() {
        for (milliseconds, expected) in [
            (0, "0.0 s"),
            (12_345, "12.3 s"),
            (61_000, "1 min 1 s"),
            (7_140_000, "1 h 59 min"),
            (-97_200_000, "1 d 3 h"),
        ] {
            assert_eq!(length(SignedDuration::from_millis(milliseconds)), expected);
        }
    }
}
