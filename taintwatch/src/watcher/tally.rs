//! Occurrences that the eBPF programs counted without a record become events that stand for many.
//!
//! In: the counts as they are now. Out: an event for each key that grew: at once when it is quiet, else every few
//! seconds, so that a storm of hours is a line now and then.

use std::collections::HashMap;

use taintwatch_common::{CountKey, counter};

use crate::{
    attribute::Attributor,
    event::{Event, Mask},
    probe::{self, counts::Counts},
};

/// Between two events of one key while it grows.
const STORM_NS: u64 = 10_000_000_000;
/// A key that did not grow for so long is quiet.
const QUIET_NS: u64 = 1_000_000_000;
/// A key that did not grow for so long is forgotten: its burst is refilled by then.
const OLD_NS: u64 = 600_000_000_000;

/// What events stand for so far.
#[derive(Default)]
pub(super) struct Tally {
    reported: HashMap<CountKey, Reported>,
    unkeyed: u64,
}

#[derive(Clone, Copy, Default)]
struct Reported {
    count: u64,
    at_ns: u64,
}

impl Tally {
    /// Events for what grew; with `all`, also for keys that had one just now.
    pub(super) fn events(
        &mut self,
        counts: &mut Counts,
        attributor: &mut Attributor,
        (now_ns, mask_now): (u64, Mask),
        all: bool,
    ) -> Result<Vec<Event>, probe::Error> {
        let mut events = Vec::new();
        let epoch = counts.epoch()?;
        for (key, count) in counts.all()? {
            let reported = self.reported.entry(key).or_default();
            let total = count.suppressed + count.unsent;
            let more = total.saturating_sub(reported.count);
            let quiet_ns = now_ns.saturating_sub(count.last_ns);
            let due =
                all || quiet_ns > QUIET_NS || now_ns.saturating_sub(reported.at_ns) > STORM_NS;
            if more > 0 && due {
                *reported = Reported {
                    count: total,
                    at_ns: now_ns,
                };
                events.push(attributor.counted(&key, &count, more, mask_now));
            }
            let past = key.epoch < epoch || key.load != 0;
            if more == 0 && (quiet_ns > OLD_NS || past && quiet_ns > STORM_NS) {
                self.reported.remove(&key);
                counts.forget(key);
            }
        }
        let unkeyed = counts.counter(counter::UNKEYED)?;
        if unkeyed > self.unkeyed {
            events.push(attributor.unnamed(unkeyed - self.unkeyed, now_ns));
            self.unkeyed = unkeyed;
        }
        Ok(events)
    }
}
