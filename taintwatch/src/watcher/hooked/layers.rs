//! The layers of the watch: whether each is in place, and stays there.
//!
//! In: the hooks and what they have seen. Out: events of cover: began, degraded, armed again.

use taintwatch_common::counter;

use super::Hooked;
use crate::{
    event::{CoverageState, Event},
    kernel::log_clock::suspended_ns,
    probe::watch::{MASK_WATCH, online_cpus},
    watcher::{
        Error,
        cross_check::{Seen, Silent},
    },
};

/// The clocks are not read at once; no suspend is shorter.
const SUSPEND_NS: u64 = 500_000_000;

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
        match self.cross_check.look(seen) {
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

    /// A trap at code that did not write the mask is no event; how many there are is for the log.
    pub(super) fn count_spurious(&mut self) -> Result<(), Error> {
        let spurious = self.watch.counts.counter(counter::SPURIOUS)?;
        let before = std::mem::replace(&mut self.spurious, spurious);
        if spurious > before {
            log::info!(
                "traps of the mask's watchpoint at code that did not write the mask: {} more, {spurious} in all",
                spurious - before
            );
        }
        Ok(())
    }

    /// A suspend takes every CPU but one down, and the kernel does not bring their watchpoints back
    /// (`perf_event_exit_cpu`, `kernel/events/core.c`).
    pub(super) fn arm_after_suspend(&mut self) {
        let suspended_ns = suspended_ns();
        let before_ns = std::mem::replace(&mut self.suspended_ns, suspended_ns);
        if suspended_ns > before_ns.saturating_add(SUSPEND_NS) {
            self.arm_again();
        }
    }

    /// Sets every watchpoint anew, and proves it.
    fn arm_again(&mut self) {
        let (Some(address), Ok(online)) = (self.mask_address, online_cpus()) else {
            return;
        };
        if self.watch.watched_cpus().next().is_none() {
            return;
        }
        self.watch.follow_cpus(&[], address);
        if !self.watch_cpus(&online, address) {
            return;
        }
        match self.watch.prove() {
            Ok(()) => self.restore("the mask watch was armed again"),
            Err(error) => {
                let reason = format!("armed again, and its proof failed: {error}");
                self.degrade(MASK_WATCH, &reason);
            }
        }
    }

    /// Watches each CPU that is not watched; whether all are. One that cannot be is told once, however long it stays so.
    fn watch_cpus(&mut self, online: &[u32], address: u64) -> bool {
        let failed = self.watch.follow_cpus(online, address);
        let unwatched = failed.iter().map(|(cpu, _)| *cpu).collect();
        let before = std::mem::replace(&mut self.unwatched, unwatched);
        for (cpu, why) in failed.iter().filter(|(cpu, _)| !before.contains(cpu)) {
            let reason = format!("CPU {cpu} came and cannot be watched: {why}");
            self.degrade(MASK_WATCH, &reason);
        }
        failed.is_empty()
    }

    /// The mask watch is whole again.
    fn restore(&mut self, reason: &str) {
        self.set_hook(MASK_WATCH, Some("breakpoint"), None);
        let event = self.coverage(CoverageState::Began, reason.to_owned());
        self.next.push_back(event);
    }

    fn degrade(&mut self, layer: &str, reason: &str) {
        self.set_hook(layer, None, Some(reason));
        let event = self.coverage(
            CoverageState::Degraded,
            format!("{layer} is silent: {reason}"),
        );
        self.next.push_back(event);
    }

    fn set_hook(&mut self, layer: &str, mechanism: Option<&str>, reason: Option<&str>) {
        let hooks = self.watch.hooks.iter_mut();
        for hook in hooks.filter(|hook| hook.layer == layer) {
            hook.mechanism = mechanism.map(str::to_owned);
            hook.reason = reason.map(str::to_owned);
        }
    }

    /// CPUs come and go; one without a watchpoint is a gap.
    pub(super) fn follow_cpus(&mut self) {
        let watched: Vec<_> = self.watch.watched_cpus().collect();
        let (Some(address), Ok(online)) = (self.mask_address, online_cpus()) else {
            return;
        };
        // None at all is another matter: the watch began without this layer, or lost it.
        let is_whole = watched == online && self.unwatched.is_empty();
        if watched.is_empty() || is_whole {
            return;
        }
        let was_whole = self.unwatched.is_empty();
        if self.watch_cpus(&online, address) && !was_whole {
            self.restore("every CPU is watched again");
        }
    }
}
