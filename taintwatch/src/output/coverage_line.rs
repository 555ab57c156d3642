//! Intervals and gaps of coverage as lines.
//!
//! In: an interval or a gap. Out: a line with its length; not yet escaped for any medium.

use super::{
    format::{clock, first_line, length},
    limits::Limits,
};
use crate::coverage::{BootCoverage, Gap, Interval};

/// A monitored interval.
#[must_use]
pub fn interval(interval: &Interval) -> String {
    let period = &interval.period;
    let (from, to) = (clock(period.from), clock(period.to));
    let how = first_line(&interval.how);
    let kind = if interval.full {
        "monitored"
    } else {
        "monitored in part"
    };
    match &interval.ended {
        None => format!("{kind} since {from}: {how}"),
        Some(ended) => format!("{kind} {from} to {to}: {how}; then {}", first_line(ended)),
    }
}

/// An interval without monitoring.
#[must_use]
pub fn gap(gap: &Gap) -> String {
    format!(
        "not monitored {} to {}: {}",
        clock(gap.period.from),
        clock(gap.period.to),
        first_line(&gap.reason)
    )
}

/// The longest items, in order of time, and what the others come to.
#[must_use]
pub fn lines(coverage: &BootCoverage, limits: Limits) -> Vec<(Kind, String)> {
    let intervals = coverage.intervals.iter().map(|it| {
        let kind = if it.full { Kind::Full } else { Kind::Part };
        (it.period.length(), kind, interval(it))
    });
    let gaps = coverage
        .gaps
        .iter()
        .map(|it| (it.period.length(), Kind::Gap, gap(it)));
    let mut lines = longest(intervals.collect(), "shorter interval", limits);
    lines.extend(longest(gaps.collect(), "shorter gap", limits));
    lines
}

/// What a line is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Full,
    Part,
    Gap,
    /// What the lines that are left out come to.
    More,
}

fn longest(
    all: Vec<(jiff::SignedDuration, Kind, String)>,
    what: &str,
    limits: Limits,
) -> Vec<(Kind, String)> {
    let mut lengths: Vec<_> = all.iter().map(|(length, ..)| *length).collect();
    lengths.sort_unstable_by(|one, other| other.cmp(one));
    let least = lengths.get(limits.list).copied();
    let mut lines = Vec::new();
    let (mut more, mut together) = (0, jiff::SignedDuration::ZERO);
    for (duration, kind, text) in all {
        if lines.len() < limits.list && least.is_none_or(|least| duration >= least) {
            lines.push((kind, format!("{text} ({})", length(duration))));
        } else {
            more += 1;
            together = together.saturating_add(duration);
        }
    }
    if more > 0 {
        let others = super::format::number(more, what);
        let text = format!("and {others}, {} together", length(together));
        lines.push((Kind::More, text));
    }
    lines
}
