//! Occurrences that the eBPF programs counted without a record become events that stand for many.
//!
//! In: the counts as they are now. Out: an event for each key that grew: at once when it is quiet, else every few
//! seconds, so that a storm of hours is a line now and then.

use std::collections::HashMap;

use taintwatch_common::{Count, CountKey, Left, Loading, SYMBOL_LEN, Writer, counter, link};

use crate::{
    attribute::{Attributor, count_id},
    event::{Event, Mask},
    probe::{self, counts::Counts},
};

use super::resume::Resume;

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
    /// What the history has of keys that were counted before the start.
    recorded: HashMap<String, u64>,
}

#[derive(Clone, Copy, Default)]
struct Reported {
    count: u64,
    at_ns: u64,
}

/// A key with its count, and by how much that grew.
type Grown = (CountKey, Count, u64);

impl Tally {
    /// Goes on where an earlier daemon ended.
    pub(super) fn resume(resume: &Resume) -> Self {
        Self {
            reported: HashMap::new(),
            unkeyed: resume.unkeyed,
            recorded: resume.counted.clone(),
        }
    }

    /// Events for what grew; with `all`, also for keys that had one just now.
    pub(super) fn events(
        &mut self,
        counts: &mut Counts,
        attributor: &mut Attributor,
        (now_ns, mask_now): (u64, Mask),
        all: bool,
    ) -> Result<Vec<Event>, probe::Error> {
        let epoch = counts.epoch()?;
        let counted = counts.all()?;
        let is_nearly_full = counted.len() > NEARLY_FULL;
        let (grown, over) = self.compare(counted, (epoch, now_ns), is_nearly_full, all);
        let grown = grown.into_iter();
        let mut events: Vec<_> = grown
            .map(|(key, count, more)| attributor.counted(&key, &count, more, mask_now))
            .collect();
        for (key, count) in over {
            // One whose code is still there may have grown since it was read: it stays then.
            if key.epoch < epoch || counts.get(key) == Some(count) {
                counts.forget(key);
                self.reported.remove(&key);
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

    /// Events for all that the history does not have of counts that grow no more.
    pub(super) fn rest(
        mut self,
        counts: Vec<(CountKey, Count)>,
        unkeyed: u64,
        attributor: &mut Attributor,
        (now_ns, mask_now): (u64, Mask),
    ) -> Vec<Event> {
        let (grown, _) = self.compare(counts, (u64::MAX, now_ns), false, true);
        let counted = grown.into_iter();
        let mut events: Vec<_> = counted
            .map(|(key, count, more)| attributor.counted(&key, &count, more, mask_now))
            .collect();
        if unkeyed > self.unkeyed {
            events.push(attributor.unnamed(unkeyed - self.unkeyed, now_ns));
        }
        events
    }

    /// What grew and is due, and keys that can be forgotten.
    fn compare(
        &mut self,
        counts: Vec<(CountKey, Count)>,
        (epoch, now_ns): (u64, u64),
        is_nearly_full: bool,
        all: bool,
    ) -> (Vec<Grown>, Vec<(CountKey, Count)>) {
        let (mut grown, mut over) = (Vec::new(), Vec::new());
        for (key, count) in counts {
            let recorded = &self.recorded;
            let reported = self.reported.entry(key).or_insert_with(|| Reported {
                count: recorded
                    .get(&count_id::of_key(&key, &count))
                    .copied()
                    .unwrap_or(0),
                at_ns: 0,
            });
            let total = count_id::total(&count);
            let more = total.saturating_sub(reported.count);
            let quiet_ns = now_ns.saturating_sub(count.last_ns);
            let due =
                all || quiet_ns > QUIET_NS || now_ns.saturating_sub(reported.at_ns) > STORM_NS;
            if more > 0 && due {
                *reported = Reported {
                    count: total,
                    at_ns: now_ns,
                };
                grown.push((key, count, more));
            }
            // Code that was freed causes no more. Any other key may grow between this reading and its removal: it goes only
            // where the map has little room.
            let is_past = key.epoch < epoch && quiet_ns > STORM_NS;
            let is_old = is_nearly_full && quiet_ns > OLD_NS;
            if more == 0 && (is_past || is_old) {
                over.push((key, count));
            }
        }
        (grown, over)
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
        created_ns: left.at_ns,
        link: link::INDIRECT,
        reserved: 0,
        loading: Loading::NONE,
        symbol: [0; SYMBOL_LEN],
    };
    (key, count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::value;

    const SECOND: u64 = 1_000_000_000;

    fn key(load: u64, epoch: u64) -> CountKey {
        CountKey {
            flag: 9,
            load,
            epoch,
            ..value(&[0; size_of::<CountKey>()]).unwrap()
        }
    }

    fn count(suppressed: u64, unsent: u64, last_s: u64) -> Count {
        Count {
            suppressed,
            unsent,
            last_ns: last_s * SECOND,
            ..value(&[0; size_of::<Count>()]).unwrap()
        }
    }

    /// At this second: by how much it grew, unless nothing is due; and whether the key is forgotten.
    fn step(tally: &mut Tally, key: CountKey, count: Count, at_s: u64) -> (Option<u64>, bool) {
        let now = (1, at_s * SECOND);
        let (grown, over) = tally.compare(vec![(key, count)], now, true, false);
        for (key, _) in &over {
            tally.reported.remove(key);
        }
        (grown.first().map(|(.., more)| *more), !over.is_empty())
    }

    #[test]
    fn records_that_the_ring_had_no_room_for_are_counted() {
        let mut tally = Tally::default();
        let key = key(0, 1);
        assert_eq!(step(&mut tally, key, count(2, 3, 10), 20), (Some(5), false));
        assert_eq!(step(&mut tally, key, count(2, 4, 25), 30), (Some(1), false));
    }

    #[test]
    fn a_storm_is_an_event_now_and_then_and_nothing_of_it_is_left_out() {
        let mut tally = Tally::default();
        let key = key(0, 1);
        let mut sum = 0;
        let mut events = 0;
        for second in 100..195 {
            let (more, _) = step(&mut tally, key, count(second, 0, second), second);
            sum += more.unwrap_or(0);
            events += u64::from(more.is_some());
        }
        assert!((8..=10).contains(&events), "{events} events");
        let (rest, _) = step(&mut tally, key, count(194, 0, 194), 201);
        assert_eq!(sum + rest.unwrap(), 194);
    }

    #[test]
    fn a_key_is_forgotten_when_it_can_grow_no_more_and_not_before_it_is_reported() {
        let present = key(0, 1);
        for (key, after_s) in [(present, 600), (key(7, 0), 10), (key(0, 0), 10)] {
            let mut tally = Tally::default();
            let last = 100;
            let counted = count(4, 0, last);
            assert_eq!(step(&mut tally, key, counted, last), (Some(4), false));
            assert_eq!(
                step(&mut tally, key, counted, last + after_s),
                (None, false)
            );
            let over = step(&mut tally, key, counted, last + after_s + 1);
            assert_eq!(over, (None, true), "{key:?}");
            // The programs begin at nothing then.
            let again = last + after_s + 2;
            assert_eq!(
                step(&mut tally, key, count(1, 0, again), again + 2),
                (Some(1), false)
            );
        }
    }

    #[test]
    fn a_key_whose_code_is_there_stays_while_the_map_has_room() {
        let mut tally = Tally::default();
        let counted = vec![(key(0, 1), count(4, 0, 100))];
        let now = (1, 10_000 * SECOND);
        assert_eq!(tally.compare(counted.clone(), now, false, false).0.len(), 1);
        assert!(
            tally
                .compare(counted.clone(), now, false, false)
                .1
                .is_empty()
        );
        assert_eq!(tally.compare(counted, now, true, false).1.len(), 1);
    }

    #[test]
    fn what_grew_meanwhile_is_reported_before_its_key_is_forgotten() {
        let mut tally = Tally::default();
        let key = key(7, 1);
        assert_eq!(
            step(&mut tally, key, count(4, 0, 100), 1000),
            (Some(4), false)
        );
        assert_eq!(step(&mut tally, key, count(4, 0, 100), 1001), (None, true));
    }
}
