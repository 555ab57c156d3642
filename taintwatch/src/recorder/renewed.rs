//! The first event of a history that takes the place of another one while the recorder runs.
//!
//! In: the last change of the coverage, and what became of the history that has it. Out: an event that says both.

use crate::{
    event::Event,
    kernel::{
        identity::{boottime_ns, wall_clock},
        mask,
    },
};

/// The coverage goes on as it was.
pub(super) fn coverage(last: &Event, why: &str) -> Event {
    let mut event = last.clone();
    let now = boottime_ns();
    event.seq = 0;
    event.time = wall_clock(now);
    event.boottime_ns = Some(now);
    let boot = event.boot_id.as_deref().unwrap_or_default();
    event.id = format!("{}-{now:x}-coverage-renewed", boot.replace('-', ""));
    if let Some(coverage) = &mut event.coverage {
        coverage.mask = mask::read().ok();
        coverage.unwatched = None;
        coverage.reason = format!(
            "{}; this history was begun while monitoring went on: {why}",
            coverage.reason
        );
    }
    event
}
