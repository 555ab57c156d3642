//! Which boots of a log a user asked for.
//!
//! In: what is settled of one log, in order, and words such as `0`, `-1`, `all`, or the beginning of a boot's id. Out: what
//! is of those boots. Steps back are counted from the log's last boot, which is known at its end.

use std::collections::HashMap;

use crate::klog::Settled;

/// What was asked for; everything where it is empty.
#[derive(Debug, Default)]
pub(super) struct Boots<'a> {
    words: &'a [String],
    /// What waits for the end of the log.
    held: Vec<Settled>,
    /// Events of other boots.
    pub(super) left_out: u64,
}

impl<'a> Boots<'a> {
    pub(super) const fn new(words: &'a [String]) -> Self {
        Self {
            words,
            held: Vec::new(),
            left_out: 0,
        }
    }

    /// Gives it back where it is asked for, at once.
    pub(super) fn take(&mut self, settled: Settled) -> Option<Settled> {
        if self.words.is_empty() || self.words.iter().any(|word| word == "all") {
            return Some(settled);
        }
        if self.words.iter().any(|word| back(word).is_some()) {
            self.held.push(settled);
            return None;
        }
        let is_wanted = self.words.iter().any(|word| is_named(&settled, word));
        if !is_wanted {
            self.left_out += settled.events.len() as u64;
            return None;
        }
        Some(settled)
    }

    /// At the end of the log: what waited and is asked for. `last` has the number of each machine's last boot.
    pub(super) fn finish(&mut self, last: &HashMap<Option<String>, u64>) -> Vec<Settled> {
        let mut held = std::mem::take(&mut self.held);
        let mut left_out = 0;
        held.retain(|settled| {
            let newest = last
                .get(&settled.host)
                .copied()
                .unwrap_or(settled.boot.ordinal);
            let steps = newest.saturating_sub(settled.boot.ordinal);
            let is_wanted = |word: &String| {
                back(word).map_or_else(|| is_named(settled, word), |back| back == steps)
            };
            let keeps = self.words.iter().any(is_wanted);
            left_out += if keeps {
                0
            } else {
                settled.events.len() as u64
            };
            keeps
        });
        self.left_out += left_out;
        held
    }
}

fn back(word: &str) -> Option<u64> {
    let steps = word.parse::<i64>().ok().filter(|steps| *steps <= 0);
    steps.map(i64::unsigned_abs)
}

fn is_named(settled: &Settled, word: &str) -> bool {
    let plain = |id: &str| id.replace('-', "").to_ascii_lowercase();
    let start = plain(word);
    let id = settled.boot.id.as_deref();
    !start.is_empty() && id.is_some_and(|id| plain(id).starts_with(&start))
}
