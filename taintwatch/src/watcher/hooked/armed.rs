//! Since when a CPU has no watchpoint on the mask.
//!
//! In: how long each watchpoint has been in place, as the kernel counts it; lists of the CPUs that run. Out: the time in
//! which some had none. A CPU that is offline writes nothing: its time begins when it was last seen so. Pure.

use std::collections::BTreeMap;

use crate::watcher::events::Gap;

/// What the kernel counted for a watchpoint, at this time.
#[derive(Clone, Copy, Debug)]
struct Read {
    at_ns: u64,
    enabled_ns: u64,
}

/// All of `CLOCK_BOOTTIME`.
#[derive(Debug, Default)]
pub(super) struct Armed {
    /// By CPU, while its watchpoint was in place.
    last: BTreeMap<u32, Read>,
    /// Since when a CPU is not known to be watched.
    missing: BTreeMap<u32, u64>,
    /// When the list of CPUs was read last.
    listed_ns: u64,
}

impl Armed {
    /// Two readings of each watchpoint, one right after the other: the time of one that is not in place stands still, and
    /// tells when it was taken away. Gives the CPUs of those.
    pub(super) fn look(
        &mut self,
        first: &[(u32, Option<u64>)],
        second: &[(u32, Option<u64>)],
        at_ns: u64,
    ) -> Vec<u32> {
        let mut gone = Vec::new();
        for ((cpu, before), (_, enabled)) in first.iter().zip(second) {
            if let Some(enabled_ns) = enabled.filter(|_| before < enabled) {
                self.missing.remove(cpu);
                self.last.insert(*cpu, Read { at_ns, enabled_ns });
                continue;
            }
            let since = self.last.get(cpu).map_or(self.listed_ns, |last| {
                let more = enabled.map_or(0, |now| now.saturating_sub(last.enabled_ns));
                last.at_ns.saturating_add(more)
            });
            self.missing.entry(*cpu).or_insert(since.min(at_ns));
            gone.push(*cpu);
        }
        gone
    }

    /// The list of CPUs that run. To be called before watchpoints are set.
    pub(super) fn listed(&mut self, online: &[u32], at_ns: u64) {
        for cpu in online.iter().filter(|cpu| !self.last.contains_key(cpu)) {
            self.missing.entry(*cpu).or_insert(self.listed_ns);
        }
        let known: Vec<_> = self
            .last
            .keys()
            .chain(self.missing.keys())
            .copied()
            .collect();
        for cpu in known.iter().filter(|cpu| !online.contains(cpu)) {
            // Nothing ran on it until now.
            self.last.remove(cpu);
            self.missing.insert(*cpu, at_ns);
        }
        self.listed_ns = at_ns;
    }

    /// Watchpoints were set on these CPUs; the time in which they had none.
    pub(super) fn set(&mut self, cpus: &[u32], at_ns: u64) -> Option<Gap> {
        let mut gap: Option<Gap> = None;
        for cpu in cpus {
            self.last.remove(cpu);
            let Some(since) = self.missing.remove(cpu) else {
                continue;
            };
            let gap = gap.get_or_insert_with(|| Gap {
                cpus: Vec::new(),
                from_ns: since,
                to_ns: at_ns,
            });
            gap.cpus.push(*cpu);
            gap.from_ns = gap.from_ns.min(since);
        }
        gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both CPUs are watched at 100.
    fn watched() -> Armed {
        let mut armed = Armed::default();
        armed.listed(&[0, 1], 90);
        let gone = armed.look(&read(7, 7), &read(8, 8), 100);
        assert!(gone.is_empty() && armed.missing.is_empty());
        armed
    }

    fn read(zero: u64, one: u64) -> Vec<(u32, Option<u64>)> {
        vec![(0, Some(zero)), (1, Some(one))]
    }

    fn gap(cpus: &[u32], from_ns: u64, to_ns: u64) -> Gap {
        Gap {
            cpus: cpus.to_vec(),
            from_ns,
            to_ns,
        }
    }

    #[test]
    fn a_cpu_that_went_and_came_back_was_unwatched_since_its_time_stood_still() {
        let mut armed = watched();
        assert_eq!(armed.look(&read(107, 28), &read(108, 28), 200), [1]);
        armed.listed(&[0, 1], 200);
        assert_eq!(armed.set(&[1], 201), Some(gap(&[1], 120, 201)));
        assert!(armed.look(&read(110, 1), &read(111, 2), 202).is_empty());
        assert_eq!(armed.set(&[1], 203), None);
    }

    #[test]
    fn what_is_offline_needs_no_watchpoint() {
        let mut armed = watched();
        armed.listed(&[0], 300);
        armed.listed(&[0], 310);
        armed.listed(&[0, 1], 320);
        assert_eq!(armed.set(&[1], 321), Some(gap(&[1], 310, 321)));
    }

    #[test]
    fn a_new_cpu_was_unwatched_since_the_last_list_without_it() {
        let mut armed = watched();
        armed.listed(&[0, 1], 400);
        armed.listed(&[0, 1, 2], 410);
        assert_eq!(armed.set(&[2], 411), Some(gap(&[2], 400, 411)));
    }

    #[test]
    fn one_that_the_kernel_gave_up_was_last_known_when_it_was_read() {
        let mut armed = watched();
        let given_up = [(0, Some(107)), (1, None)];
        let later = [(0, Some(108)), (1, None)];
        assert_eq!(armed.look(&given_up, &later, 200), [1]);
        assert_eq!(armed.look(&given_up, &later, 250), [1], "it stays so");
        assert_eq!(armed.set(&[0, 1], 260), Some(gap(&[1], 100, 260)));
    }

    #[test]
    fn the_gap_of_some_is_from_the_first_of_them() {
        let mut armed = watched();
        assert_eq!(armed.look(&read(9, 28), &read(9, 28), 200), [0, 1]);
        assert_eq!(armed.set(&[0, 1], 220), Some(gap(&[0, 1], 101, 220)));
    }
}
