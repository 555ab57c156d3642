//! Occurrences that the eBPF programs counted without a record become events that stand for many.
//!
//! In: the counts as they are now. Out: an event for each key that grew: at once when it is quiet, else every few
//! seconds, so that a storm of hours is a line now and then.

use std::collections::HashMap;

use taintwatch_common::{Count, CountKey, Left, Loading, SYMBOL_LEN, Writer, counter, link};

use crate::{
    attribute::Attributor,
    event::{Event, Mask},
    probe::{self, counts::Counts},
};

/// Between two events of one key while it grows.
const STORM_NS: u64 = 10_000_000_000;
/// A key that did not grow for so long is quiet.
const QUIET_NS: u64 = 1_000_000_000;
/// A key that did not grow for so long may be forgotten: its burst is refilled by then.
const OLD_NS: u64 = 600_000_000_000;
/// Keys from which on the map of 4,096 is nearly full.
const NEARLY_FULL: usize = 3072;
/// A trap follows the entry of `add_taint` within some instructions; a task may be kept from going on for a while.
const UNTRAPPED_NS: u64 = 5_000_000_000;

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
        let counted = counts.all()?;
        let is_nearly_full = counted.len() > NEARLY_FULL;
        for (key, count) in counted {
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
            // Code that was freed causes no more. Any other key may grow between this reading and its removal: it goes only
            // where the map has little room, and only if it is the same still.
            let is_past = key.epoch < epoch && quiet_ns > STORM_NS;
            let is_old = is_nearly_full && quiet_ns > OLD_NS && counts.get(key) == Some(count);
            if more == 0 && (is_past || is_old) {
                self.reported.remove(&key);
                counts.forget(key);
            }
        }
        for (writer, left) in counts.take_untrapped(now_ns.saturating_sub(UNTRAPPED_NS))? {
            let (key, count) = untrapped(&writer, &left, epoch);
            events.push(attributor.counted(&key, &count, 1, mask_now));
        }
        let unkeyed = counts.counter(counter::UNKEYED)?;
        if unkeyed > self.unkeyed {
            events.push(attributor.unnamed(unkeyed - self.unkeyed, now_ns));
            self.unkeyed = unkeyed;
        }
        Ok(events)
    }
}

/// The count of one entry whose record was left to a trap that never came: the watchpoint does not fire.
fn untrapped(writer: &Writer, left: &Left, epoch: u64) -> (CountKey, Count) {
    let key = CountKey {
        flag: left.flag,
        context: writer.context,
        caller: left.caller,
        jumped: 0,
        load: 0,
        epoch,
    };
    let count = Count {
        suppressed: 0,
        unsent: 1,
        spent: 0,
        since_ns: left.at_ns,
        last_ns: left.at_ns,
        link: link::INDIRECT,
        reserved: 0,
        loading: Loading::NONE,
        symbol: [0; SYMBOL_LEN],
    };
    (key, count)
}
