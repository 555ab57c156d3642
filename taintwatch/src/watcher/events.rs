//! Events that do not come from a record: changes of the coverage, and what happened before it.
//!
//! In: a change of the hooks; what the running kernel shows. Out: events.

use crate::{
    attribute::Attributor,
    baseline::{self, Began, Past, evidence},
    event::{Coverage, CoverageState, Event, Hook, Kind, Lost, Mask, Unwatched},
    kernel::{
        identity::{self, Identity, boottime_ns, wall_clock},
        log_clock, os_release,
    },
};

/// A change of the coverage.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) state: CoverageState,
    pub(super) reason: String,
    /// The hooks after it.
    pub(super) hooks: Vec<Hook>,
    pub(super) self_test: Option<String>,
    /// Since when the programs are attached, where an earlier daemon attached them.
    pub(super) attached_since_ns: Option<u64>,
    /// CPUs without a watchpoint in a time that is over.
    pub(super) unwatched: Option<Gap>,
}

/// A time without watchpoints, `CLOCK_BOOTTIME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) cpus: Vec<u32>,
    pub(super) from_ns: u64,
    pub(super) to_ns: u64,
}

/// The event of a change. Its reason is one line: details are with the hooks.
pub(super) fn coverage(attributor: &Attributor, change: Change) -> Event {
    coverage_at(attributor, change, boottime_ns())
}

/// The event of a change at this time.
pub(super) fn coverage_at(attributor: &Attributor, change: Change, at_ns: u64) -> Event {
    let mut event = attributor.blank(Kind::Coverage, at_ns, "watch");
    event.coverage = Some(Coverage {
        state: change.state,
        reason: first_line(&change.reason).to_owned(),
        release: identity::release().ok(),
        mask: Some(attributor.mask),
        hooks: change.hooks,
        self_test: change.self_test,
        attached_since_ns: change.attached_since_ns,
        unwatched: change.unwatched.map(|gap| Unwatched {
            cpus: gap.cpus,
            from: wall_clock(gap.from_ns),
            to: wall_clock(gap.to_ns),
            from_ns: gap.from_ns,
            to_ns: gap.to_ns,
        }),
    });
    event
}

/// Lines of the kernel log that were overwritten before they were read.
pub(super) fn overwritten_lines(attributor: &Attributor, count: u64) -> Event {
    let mut event = attributor.blank(Kind::Lost, boottime_ns(), "log_line");
    event.lost = Some(Lost {
        count,
        reason: "the kernel overwrote its log before it was read".to_owned(),
        what: "log_line".to_owned(),
        since_ns: None,
    });
    event
}

fn first_line(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    line.trim_end().trim_end_matches(':')
}

/// What the running kernel shows of the time before the first of these events, which says that the coverage began: the
/// `last` of its events.
pub(super) fn before(
    first: Option<&Event>,
    attributor: &Attributor,
    past: &Past,
    last: usize,
) -> Vec<Event> {
    let Some(first) = first else {
        return Vec::new();
    };
    let mask = first.coverage.as_ref().and_then(|coverage| coverage.mask);
    let evidence = evidence::read(mask.unwrap_or_default(), attributor.table);
    log_clock::measure();
    let began = Began {
        boottime_ns: first.boottime_ns.unwrap_or_else(boottime_ns),
        time: first.time,
        log_offset_ns: log_clock::offset_ns(),
    };
    let mut events = baseline::events(&evidence, past, attributor.identity(), began);
    events.split_off(events.len().saturating_sub(last))
}

/// The attributor of this machine, which goes on from `mask`.
pub(super) fn attributor(identity: Identity, mask: Mask) -> Attributor {
    let mut attributor = Attributor::new(identity, mask, wall_clock);
    attributor.table = os_release::vendor_table().unwrap_or(attributor.table);
    attributor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line() {
        assert_eq!(
            first_line("the kernel refuses it:\n  0: (bf) r6"),
            "the kernel refuses it"
        );
        assert_eq!(first_line("stopped by SIGTERM"), "stopped by SIGTERM");
        assert_eq!(first_line(""), "");
    }
}
