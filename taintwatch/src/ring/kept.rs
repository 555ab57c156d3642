//! Which records of the ring stay there after they were read.
//!
//! In: where each record ends, and how many are needed no more. Out: the position up to which the kernel may use the
//! ring again. Pure.

use std::collections::VecDeque;

/// So many bytes of settled records stay. What records say of later ones (processes, files of modules that are being
/// loaded, functions that left no frame) is sent shortly before; a daemon that takes over needs it, too.
const KEPT: u64 = 128 << 10;

/// Records that were read and not given back.
pub(super) struct Kept {
    given_back: u64,
    read: u64,
    settled: u64,
    /// Where those end that are settled, and those that are not.
    old: VecDeque<u64>,
    new: VecDeque<u64>,
}

impl Kept {
    /// Nothing is read yet; the reader begins here.
    pub(super) fn from(position: u64) -> Self {
        Self {
            given_back: position,
            read: position,
            settled: position,
            old: VecDeque::new(),
            new: VecDeque::new(),
        }
    }

    /// One more record was read, which ends here. A record that was given up by its writer counts with the next one.
    pub(super) fn read_to(&mut self, end: u64) {
        self.read = end;
        self.new.push_back(end);
    }

    /// The first `records` are settled. Gives the position to store, where it moves.
    pub(super) fn settle(&mut self, records: usize) -> Option<u64> {
        for end in self.new.drain(..records.min(self.new.len())) {
            self.settled = end;
            self.old.push_back(end);
        }
        let before = self.given_back;
        while let Some(end) = self.old.front().copied()
            && self.settled - end >= KEPT
        {
            self.given_back = end;
            self.old.pop_front();
        }
        (self.given_back != before).then_some(self.given_back)
    }

    pub(super) const fn unsettled(&self) -> u64 {
        self.read - self.settled
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Nothing that is not settled is given back, what is kept is bounded, and a position is where a record ends.
        #[test]
        fn only_old_records_that_are_settled_are_given_back(
            begin in 0_u64..1 << 40,
            steps in prop::collection::vec((1_u64..600, 0_usize..3), 1..2000),
        ) {
            let mut kept = Kept::from(begin);
            let (mut end, mut ends, mut settled) = (begin, vec![begin], 0);
            let mut given_back = begin;
            for (words, settle) in steps {
                end += words * 8;
                ends.push(end);
                kept.read_to(end);
                settled = (settled + settle).min(ends.len() - 1);
                if let Some(position) = kept.settle(settle) {
                    prop_assert!(position > given_back);
                    given_back = position;
                }
                prop_assert!(ends.binary_search(&given_back).is_ok());
                prop_assert!(given_back == begin || given_back + KEPT <= ends[settled]);
                prop_assert!(ends[settled] - given_back < KEPT + 600 * 8);
                prop_assert_eq!(kept.unsettled(), end - ends[settled]);
            }
        }
    }
}
