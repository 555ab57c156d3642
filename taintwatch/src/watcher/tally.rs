//! Occurrences that the eBPF programs counted without a record become events that stand for many.
//!
//! In: the counts as they are now. Out: an event for each key that grew: when it is quiet, or while it grows, more and
//! more rarely. A key has a number of events at once and one more an hour, so that a site that warns for a year has 24 a
//! day; all keys together have a number as well. What waits is in the next event: nothing is left out.

use std::collections::HashMap;

use taintwatch_common::{Count, CountKey, Left, Loading, SYMBOL_LEN, Writer, counter, link};

use crate::{
    attribute::{Attributor, count_id},
    event::{Event, Mask},
    probe::{self, counts::Counts},
};

use super::resume::Resume;

const SECOND_NS: u64 = 1_000_000_000;
const HOUR_NS: u64 = 3600 * SECOND_NS;
/// Between two events of a key that grows all the time: before the first one, the second, and so on.
const PAUSES_NS: [u64; 5] = [
    10 * SECOND_NS,
    10 * SECOND_NS,
    60 * SECOND_NS,
    600 * SECOND_NS,
    HOUR_NS,
];
/// A key that did not grow for so long is quiet, and begins anew after so long.
const QUIET_NS: u64 = SECOND_NS;
const ANEW_NS: u64 = 600 * SECOND_NS;
/// Events of a key at once, and how soon there may be one more.
const MOST_OF_KEY: u64 = 24;
const ONE_MORE_OF_KEY_NS: u64 = HOUR_NS;
/// Events of all keys at once, and how soon there may be one more.
const MOST: u64 = 1000;
const ONE_MORE_NS: u64 = 30 * SECOND_NS;
/// Code that was freed so long ago causes no more.
const PAST_NS: u64 = 10 * SECOND_NS;
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
    /// When the last event without a key was.
    unkeyed_ns: u64,
    paid: Paid,
}

#[derive(Clone, Copy, Default)]
struct Reported {
    count: u64,
    at_ns: u64,
    /// Events since it began anew.
    times: usize,
    paid: Paid,
}

impl Reported {
    /// Whether a key that last grew at this time is quiet, or has grown for long enough.
    fn is_due(&self, last_ns: u64, now_ns: u64) -> bool {
        let pause = PAUSES_NS.get(self.times).or(PAUSES_NS.last());
        now_ns.saturating_sub(last_ns) > QUIET_NS
            || pause.is_none_or(|pause| now_ns.saturating_sub(self.at_ns) > *pause)
    }
}

/// Until when events are paid for: each takes a while of it, and so many may be ahead.
#[derive(Clone, Copy, Default)]
struct Paid(u64);

impl Paid {
    const fn may(self, now_ns: u64, most: u64, each_ns: u64) -> bool {
        self.0.saturating_sub(now_ns) + each_ns <= most * each_ns
    }

    fn pay(&mut self, now_ns: u64, each_ns: u64) {
        self.0 = self.0.max(now_ns) + each_ns;
    }
}

/// A key with its count, and by how much that grew.
type Grown = (CountKey, Count, u64);

impl Tally {
    /// Goes on where an earlier daemon ended.
    pub(super) fn resume(resume: &Resume) -> Self {
        Self {
            unkeyed: resume.unkeyed,
            recorded: resume.counted.clone(),
            ..Self::default()
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
        let is_due = all || now_ns.saturating_sub(self.unkeyed_ns) > 600 * SECOND_NS;
        if unkeyed > self.unkeyed && is_due {
            events.push(attributor.unnamed(unkeyed - self.unkeyed, now_ns));
            self.unkeyed = unkeyed;
            self.unkeyed_ns = now_ns;
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
                ..Reported::default()
            });
            let total = count_id::total(&count);
            let more = total.saturating_sub(reported.count);
            let quiet_ns = now_ns.saturating_sub(count.last_ns);
            if more == 0 && quiet_ns > ANEW_NS {
                reported.times = 0;
            }
            let may = reported.paid.may(now_ns, MOST_OF_KEY, ONE_MORE_OF_KEY_NS);
            if more > 0 && (all || may && reported.is_due(count.last_ns, now_ns)) {
                grown.push((reported.at_ns, (key, count, more)));
            }
            // Code that was freed causes no more. Any other key may grow between this reading and its removal: it goes only
            // where the map has little room.
            let is_past = key.epoch < epoch && quiet_ns > PAST_NS;
            let is_old = is_nearly_full && quiet_ns > OLD_NS;
            if more == 0 && (is_past || is_old) {
                over.push((key, count));
            }
        }
        // Where not all may be reported, the longest silent are.
        grown.sort_by_key(|(at_ns, _)| *at_ns);
        let mut admitted = Vec::new();
        for (_, grown) in grown {
            if all || self.paid.may(now_ns, MOST, ONE_MORE_NS) {
                self.note(&grown, now_ns);
                admitted.push(grown);
            }
        }
        (admitted, over)
    }

    /// It has an event now.
    fn note(&mut self, (key, count, _): &Grown, now_ns: u64) {
        self.paid.pay(now_ns, ONE_MORE_NS);
        let reported = self.reported.entry(*key).or_default();
        reported.count = count_id::total(count);
        reported.at_ns = now_ns;
        reported.times += 1;
        reported.paid.pay(now_ns, ONE_MORE_OF_KEY_NS);
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
        paid_ns: 0,
        paid_long_ns: 0,
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
        look(tally, (key, count), at_s, true)
    }

    fn look(
        tally: &mut Tally,
        (key, count): (CountKey, Count),
        at_s: u64,
        is_nearly_full: bool,
    ) -> (Option<u64>, bool) {
        let now = (1, at_s * SECOND);
        let (grown, over) = tally.compare(vec![(key, count)], now, is_nearly_full, false);
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

    /// So many seconds of a site that warns once in `every`, looked at each second; how many events, and what they stand
    /// for.
    fn warns(
        tally: &mut Tally,
        key: CountKey,
        seconds: std::ops::Range<u64>,
        every: u64,
    ) -> (u64, u64) {
        let (mut events, mut sum) = (0, 0);
        for second in seconds {
            let last = second / every * every;
            let counted = (key, count(second / every, 0, last));
            let (more, _) = look(tally, counted, second, false);
            sum += more.unwrap_or(0);
            events += u64::from(more.is_some());
        }
        (events, sum)
    }

    #[test]
    fn a_site_that_repeats_has_few_events_a_day_and_nothing_of_it_is_left_out() {
        const DAY: u64 = 86_400;
        for every in [1, 2, 7, 60, 3600] {
            let mut tally = Tally::default();
            let key = key(0, 1);
            let begin = DAY * 10;
            let before = begin / every;
            tally.reported.entry(key).or_default().count = before;
            let (first, sum) = warns(&mut tally, key, begin..begin + DAY, every);
            let (second, more) = warns(&mut tally, key, begin + DAY..begin + 2 * DAY, every);
            assert!(
                first <= 49 && second <= 25,
                "each {every} s: {first}, then {second} events"
            );
            let total = (begin + 2 * DAY) / every;
            let now = (1, (begin + 2 * DAY) * SECOND);
            let counted = vec![(key, count(total, 0, begin + 2 * DAY))];
            let (rest, _) = tally.compare(counted, now, false, true);
            let rest = rest.first().map_or(0, |(.., more)| *more);
            assert_eq!(
                before + sum + more + rest,
                total,
                "the last count is reported at the end"
            );
        }
    }

    #[test]
    fn a_storm_is_reported_soon_and_then_more_and_more_rarely_and_when_it_is_over() {
        let mut tally = Tally::default();
        let key = key(0, 1);
        let mut at = Vec::new();
        for second in 100..1000 {
            let counted = (key, count(second, 0, second));
            let (more, _) = look(&mut tally, counted, second, false);
            at.extend(more.map(|_| second));
        }
        assert_eq!(at, [100, 111, 172, 773]);
        let mut more = |number: u64, last: u64, at: u64| {
            look(&mut tally, (key, count(number, 0, last)), at, false).0
        };
        assert_eq!(more(999, 999, 1000), None, "it may go on");
        assert_eq!(more(999, 999, 1001), Some(999 - 773));
        // Quiet for a while, and it is new again.
        assert_eq!(more(999, 999, 1600), None);
        assert_eq!(more(1000, 1700, 1700), Some(1));
    }

    #[test]
    fn many_sites_together_have_so_many_events_and_none_is_forgotten() {
        let mut tally = Tally::default();
        let (mut events, mut sum) = (0, 0);
        let keys = 2000;
        let at = |minute: u64| {
            let counted = (0..keys).map(|load| (key(load, 1), count(minute, 0, minute * 60)));
            (counted.collect::<Vec<_>>(), (1, minute * 60 * SECOND))
        };
        for minute in 1..=300 {
            let (counted, now) = at(minute);
            let (grown, _) = tally.compare(counted, now, false, false);
            events += grown.len() as u64;
            sum += grown.iter().map(|(.., more)| more).sum::<u64>();
        }
        assert!(events <= MOST + 300 * 60 * SECOND / ONE_MORE_NS, "{events}");
        let silent = tally
            .reported
            .values()
            .filter(|reported| reported.times == 0);
        assert!(silent.count() < 500, "the longest silent come first");
        let (counted, now) = at(300);
        let (rest, _) = tally.compare(counted, now, false, true);
        sum += rest.iter().map(|(.., more)| more).sum::<u64>();
        assert_eq!(sum, keys * 300);
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
