//! Two hooks see each call of `add_taint`: its entry, and the write that follows. What one sees and the other does not
//! shows that a hook was detached.
//!
//! In: how many each has seen, by CPU. Out: which one missed calls. Pure.

/// What the hooks have seen since the start, a number a CPU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) entries: Vec<u64>,
    /// Writes that an entry explained.
    pub(super) explained: Vec<u64>,
    /// Writes inside `add_taint` that no entry explained.
    pub(super) unexplained: Vec<u64>,
}

/// Calls that a hook did not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missed {
    /// The watchpoint on this CPU, more than one.
    ByWatchpoint(usize),
    /// The watchpoint on this CPU, one: the kernel may have left it out.
    Once(usize),
    /// The hook on the entry of `add_taint`.
    ByEntry,
}

/// Compares only when nothing moves: a write follows its entry after a while.
#[derive(Debug, Default)]
pub(super) struct CrossCheck {
    last: Seen,
    compared: Seen,
    /// The CPU whose watchpoint saw nothing of the one call that it had to see.
    suspected: Option<usize>,
}

impl CrossCheck {
    pub(super) fn new(seen: Seen) -> Self {
        Self {
            last: seen.clone(),
            compared: seen,
            suspected: None,
        }
    }

    /// Compares with the last numbers. In a storm they always move, and a single trap may be left out: the kernel runs no
    /// program on a breakpoint while a map is read on that CPU (`bpf_prog_active`, `kernel/events/core.c`). So a hook
    /// missed calls only when it saw nothing at all of what the other one saw.
    pub(super) fn compare(&mut self, seen: Seen) -> Option<Missed> {
        let quiet = seen == self.last;
        self.last = seen.clone();
        if !quiet {
            return None;
        }
        let before = std::mem::replace(&mut self.compared, seen);
        let suspected = self.suspected.take();
        let grown = |now: &[u64], before: &[u64]| -> Vec<u64> {
            let old = before.iter().copied().chain(std::iter::repeat(0));
            now.iter()
                .zip(old)
                .map(|(now, old)| now.saturating_sub(old))
                .collect()
        };
        let entries = grown(&self.compared.entries, &before.entries);
        let explained = grown(&self.compared.explained, &before.explained);
        let unexplained = grown(&self.compared.unexplained, &before.unexplained);
        let sum = |values: &[u64]| values.iter().sum::<u64>();
        if sum(&entries) == 0 && sum(&unexplained) > 0 {
            return Some(Missed::ByEntry);
        }
        // A task may have moved between its entry and its write: then the sums agree.
        if sum(&explained) + sum(&unexplained) >= sum(&entries) {
            return None;
        }
        let watched = explained.iter().zip(&unexplained).map(|(a, b)| a + b);
        let missed = entries
            .iter()
            .zip(watched)
            .position(|(entered, seen)| *entered > 0 && seen == 0);
        let cpu = missed?;
        if entries.get(cpu) == Some(&1) && suspected != Some(cpu) {
            self.suspected = Some(cpu);
            return Some(Missed::Once(cpu));
        }
        Some(Missed::ByWatchpoint(cpu))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(entries: [u64; 2], explained: [u64; 2], unexplained: [u64; 2]) -> Seen {
        Seen {
            entries: entries.to_vec(),
            explained: explained.to_vec(),
            unexplained: unexplained.to_vec(),
        }
    }

    fn at_rest(before: Seen, after: Seen) -> Option<Missed> {
        let mut cross_check = CrossCheck::new(before);
        assert_eq!(
            cross_check.compare(after.clone()),
            None,
            "things are still moving"
        );
        cross_check.compare(after)
    }

    #[test]
    fn one_call_that_was_missed_accuses_nobody() {
        let mut cross_check = CrossCheck::new(seen([0, 0], [0, 0], [0, 0]));
        let mut rest = |seen: Seen| {
            cross_check.compare(seen.clone());
            cross_check.compare(seen)
        };
        assert_eq!(
            rest(seen([3, 1], [3, 0], [0, 0])),
            Some(Missed::Once(1)),
            "the kernel may have left it out"
        );
        assert_eq!(
            rest(seen([4, 2], [4, 0], [0, 0])),
            Some(Missed::ByWatchpoint(1)),
            "again, though it was armed again"
        );
        assert_eq!(rest(seen([4, 3], [4, 0], [0, 0])), Some(Missed::Once(1)));
        assert_eq!(rest(seen([4, 4], [4, 1], [0, 0])), None);
        assert_eq!(rest(seen([4, 5], [4, 1], [0, 0])), Some(Missed::Once(1)));
    }

    #[test]
    fn knows_which_hook_missed_calls() {
        let none = || seen([0, 0], [0, 0], [0, 0]);
        assert_eq!(at_rest(none(), seen([3, 1], [3, 1], [0, 0])), None);
        assert_eq!(
            at_rest(none(), seen([3, 2], [3, 0], [0, 0])),
            Some(Missed::ByWatchpoint(1))
        );
        assert_eq!(
            at_rest(none(), seen([0, 0], [0, 0], [0, 2])),
            Some(Missed::ByEntry)
        );
        assert_eq!(
            at_rest(none(), seen([1, 0], [0, 1], [0, 0])),
            None,
            "it moved"
        );
        assert_eq!(
            at_rest(none(), seen([900, 1], [899, 1], [0, 0])),
            None,
            "one was left out"
        );
        let started_late = || seen([5, 0], [0, 0], [0, 0]);
        assert_eq!(at_rest(started_late(), seen([6, 0], [1, 0], [0, 0])), None);
    }
}
