//! The layers of the watch: whether each is in place, and stays there.
//!
//! In: the hooks and what they have seen. Out: events of cover: began, degraded, armed again.

use taintwatch_common::counter;

use super::Hooked;
use crate::{
    event::{CoverageState, Event},
    probe::watch::{MASK_WATCH, online_cpus},
    watcher::{
        Error,
        agreement::{Seen, Silent},
    },
};

impl Hooked {
    pub(super) fn began(&mut self) -> Event {
        let watched = self.watch.watched_cpus().next().is_some();
        let self_test = watched.then(|| self.watch.prove());
        let mut gaps = Vec::new();
        let hooks = &self.watch.hooks;
        let missing = hooks.iter().filter(|hook| hook.mechanism.is_none());
        let names: Vec<_> = missing.map(|hook| hook.layer.as_str()).collect();
        if !names.is_empty() {
            gaps.push(format!("without {}", names.join(", ")));
        }
        if let Some(Err(why)) = &self_test {
            gaps.push(format!("the mask watch is unproven: {why}"));
        }
        gaps.extend(self.watch.prove_hooks().err());
        let (state, reason) = if gaps.is_empty() {
            (CoverageState::Began, "every layer is in place".to_owned())
        } else {
            (CoverageState::Degraded, gaps.join("; "))
        };
        let mut event = self.coverage(state, reason);
        if let (Some(coverage), Some(tested)) = (&mut event.coverage, self_test) {
            coverage.self_test = Some(match tested {
                Ok(()) => {
                    "a watchpoint on a variable of this process reached the program on every CPU"
                        .to_owned()
                }
                Err(why) => format!("unproven: {why}"),
            });
        }
        event
    }

    pub(super) fn seen(&self) -> Result<Seen, Error> {
        let counter = |index| self.watch.counts.per_cpu(index);
        Ok(Seen {
            entries: counter(counter::ENTRIES)?,
            explained: counter(counter::EXPLAINED)?,
            unexplained: counter(counter::UNEXPLAINED)?,
        })
    }

    /// A hook that was detached or replaced shows in what the other layer sees.
    pub(super) fn compare_layers(&mut self) -> Result<(), Error> {
        let has = |layer: &str| {
            self.hooks()
                .iter()
                .any(|hook| hook.layer == layer && hook.mechanism.is_some())
        };
        if !(has(MASK_WATCH) && has("taint_entry")) {
            return Ok(());
        }
        let seen = self.seen()?;
        match self.agreement.look(seen) {
            None => {}
            Some(Silent::Entry) => self.degrade(
                "taint_entry",
                "the watch saw add_taint write and the hook on it saw no call: somebody took it away",
            ),
            Some(Silent::Watch(cpu)) => {
                let reason = format!(
                    "the watchpoint on CPU {cpu} did not see writes that the hook on add_taint announced: \
                     somebody switched it off"
                );
                self.degrade(MASK_WATCH, &reason);
                self.arm_again();
            }
        }
        Ok(())
    }

    /// Sets every watchpoint anew, and proves it.
    fn arm_again(&mut self) {
        let Some(address) = self.mask_address else {
            return;
        };
        let Ok(online) = online_cpus() else {
            return;
        };
        self.watch.follow_cpus(&[], address);
        let failed = self.watch.follow_cpus(&online, address);
        if failed.is_empty() && self.watch.prove().is_ok() {
            for hook in self
                .watch
                .hooks
                .iter_mut()
                .filter(|hook| hook.layer == MASK_WATCH)
            {
                hook.mechanism = Some("breakpoint".to_owned());
            }
            let event = self.coverage(
                CoverageState::Began,
                "the mask watch was armed again".to_owned(),
            );
            self.next.push_back(event);
        }
    }

    fn degrade(&mut self, layer: &str, reason: &str) {
        for hook in self
            .watch
            .hooks
            .iter_mut()
            .filter(|hook| hook.layer == layer)
        {
            hook.mechanism = None;
            hook.reason = Some(reason.to_owned());
        }
        let event = self.coverage(
            CoverageState::Degraded,
            format!("{layer} is silent: {reason}"),
        );
        self.next.push_back(event);
    }

    /// CPUs come and go; one without a watchpoint is a hole.
    pub(super) fn follow_cpus(&mut self) {
        let watched: Vec<_> = self.watch.watched_cpus().collect();
        let (Some(address), Ok(online)) = (self.mask_address, online_cpus()) else {
            return;
        };
        if watched.is_empty() || watched == online {
            return;
        }
        for (cpu, why) in self.watch.follow_cpus(&online, address) {
            self.degrade(
                MASK_WATCH,
                &format!("CPU {cpu} came and cannot be watched: {why}"),
            );
        }
    }
}
