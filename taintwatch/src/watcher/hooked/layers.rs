//! Whether each hook is in place, and stays there.
//!
//! In: the monitor, and what its hooks have seen. Out: changes of the coverage: began, degraded, complete again.

use taintwatch_common::counter;

use super::standing::standing;
use crate::{
    event::CoverageState,
    kernel::log_clock::suspended_ns,
    probe::{
        self,
        attempts::hook,
        hooks::{MASK_WATCH, TAINT_ENTRY},
        mechanism::Mechanism,
        monitor::{Monitor, online_cpus},
    },
    watcher::{
        cross_check::{CrossCheck, Missed, Seen},
        events::Change,
    },
};

/// The clocks are not read at once; no suspend is shorter.
const SUSPEND_NS: u64 = 500_000_000;

/// The hooks, and what is known of each.
pub(super) struct Layers {
    pub(super) monitor: Monitor,
    cross_check: CrossCheck,
    mask_address: Option<u64>,
    /// CPUs that were reported to have no watchpoint.
    unwatched: Vec<u32>,
    /// How long the machine has slept in this boot, as last read.
    suspended_ns: u64,
    /// Traps of the mask's watchpoint that were no writes of it, as last read.
    spurious: u64,
    /// Requests for modules that were too many, as last read.
    limited: u64,
    /// What a self-test could not prove: of hooks on functions, of watchpoints.
    unproven: [Option<String>; 2],
}

impl Layers {
    pub(super) fn new(monitor: Monitor, mask_address: Option<u64>) -> Self {
        Self {
            monitor,
            cross_check: CrossCheck::default(),
            mask_address,
            unwatched: Vec::new(),
            suspended_ns: suspended_ns(),
            spurious: 0,
            limited: 0,
            unproven: [None, None],
        }
    }

    /// Tests the hooks; the change that every coverage begins with.
    pub(super) fn begin(&mut self) -> Result<Change, probe::Error> {
        let taken_over = self.take_over();
        let is_watched = !self.monitor.watched_cpus().is_empty();
        let tested = is_watched.then(|| self.monitor.prove_watchpoints());
        let self_test = tested.as_ref().map(|tested| match tested {
            Ok(()) => "a watchpoint on a variable of this process reached the program on every CPU"
                .to_owned(),
            Err(why) => format!("unproven: {why}"),
        });
        let of_mask = tested.and_then(Result::err);
        self.unproven = [
            self.monitor.prove_hooks().err(),
            of_mask.map(|why| format!("the mask watch is unproven: {why}")),
        ];
        self.cross_check = CrossCheck::new(self.seen()?);
        Ok(Change {
            self_test,
            attached_since_ns: self.monitor.adopted_since_ns,
            ..self.state(taken_over.as_deref())
        })
    }

    /// Sets watchpoints anew that ended while no daemon ran, and says what was taken over.
    fn take_over(&mut self) -> Option<String> {
        self.monitor.adopted_since_ns?;
        let whole = "what an earlier daemon attached is taken over";
        let Some(address) = self.mask_address else {
            return Some(whole.to_owned());
        };
        self.monitor.distrust_watchpoints();
        match self.monitor.remove_dead_watchpoints(address) {
            Ok(dead) if dead.is_empty() => Some(whole.to_owned()),
            Ok(dead) => {
                let dead: Vec<_> = dead.iter().map(u32::to_string).collect();
                if let Ok(online) = online_cpus() {
                    self.watch_cpus(&online, address);
                }
                Some(format!(
                    "{whole}, but for the watchpoints of CPU {}, which had ended and are set anew",
                    dead.join(", ")
                ))
            }
            Err(error) => {
                log::warn!("whether the watchpoints still count is not known: {error}");
                Some(whole.to_owned())
            }
        }
    }

    /// What has changed since the last call.
    pub(super) fn check(&mut self) -> Result<Vec<Change>, probe::Error> {
        self.count_spurious()?;
        self.count_limited()?;
        let mut changes = self.compare()?;
        changes.extend(self.follow_cpus());
        changes.extend(self.arm_after_suspend());
        Ok(changes)
    }

    /// The coverage as it stands.
    fn state(&self, news: Option<&str>) -> Change {
        let unproven: Vec<_> = self.unproven.iter().flatten().collect();
        let (state, reason) = standing(&self.monitor.hooks, &unproven, news);
        self.change(state, reason)
    }

    fn change(&self, state: CoverageState, reason: String) -> Change {
        Change {
            state,
            reason,
            hooks: self.monitor.hooks.clone(),
            self_test: None,
            attached_since_ns: None,
        }
    }

    fn seen(&self) -> Result<Seen, probe::Error> {
        let counter = |index| self.monitor.counts.per_cpu(index);
        Ok(Seen {
            entries: counter(counter::ENTRIES)?,
            explained: counter(counter::EXPLAINED)?,
            unexplained: counter(counter::UNEXPLAINED)?,
        })
    }

    /// A hook that was detached or replaced shows in what the other one sees.
    fn compare(&mut self) -> Result<Vec<Change>, probe::Error> {
        if !(self.monitor.has(MASK_WATCH) && self.monitor.has(TAINT_ENTRY)) {
            return Ok(Vec::new());
        }
        let seen = self.seen()?;
        Ok(match self.cross_check.compare(seen) {
            None => Vec::new(),
            Some(Missed::ByEntry) => vec![self.degrade(
                TAINT_ENTRY,
                "it does not fire: add_taint wrote the mask, and the hook on it saw no call; it was detached or \
                 switched off",
            )],
            Some(Missed::Once(cpu)) => {
                let changes = self.arm_again();
                log::info!(
                    "the watchpoint on CPU {cpu} did not see the write after one call of add_taint, and was armed again"
                );
                changes
            }
            Some(Missed::ByWatchpoint(cpu)) => {
                let reason = format!(
                    "the watchpoint on CPU {cpu} did not see writes that followed calls of add_taint: it was \
                     switched off"
                );
                let mut changes = vec![self.degrade(MASK_WATCH, &reason)];
                changes.extend(self.arm_again());
                changes
            }
        })
    }

    /// Requests for modules beyond a user's limit are only counted.
    fn count_limited(&mut self) -> Result<(), probe::Error> {
        let limited = self.monitor.counts.counter(counter::LIMITED)?;
        let before = std::mem::replace(&mut self.limited, limited);
        if limited > before {
            log::info!(
                "requests for modules beyond the limit that each user has: {} more, {limited} in all",
                limited - before
            );
        }
        Ok(())
    }

    /// A trap at code that did not write the mask is no event; how many there are is for the log.
    fn count_spurious(&mut self) -> Result<(), probe::Error> {
        let spurious = self.monitor.counts.counter(counter::SPURIOUS)?;
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
    fn arm_after_suspend(&mut self) -> Vec<Change> {
        let suspended_ns = suspended_ns();
        let before_ns = std::mem::replace(&mut self.suspended_ns, suspended_ns);
        if suspended_ns > before_ns.saturating_add(SUSPEND_NS) {
            self.arm_again()
        } else {
            Vec::new()
        }
    }

    /// Sets every watchpoint anew, and proves it.
    fn arm_again(&mut self) -> Vec<Change> {
        let (Some(address), Ok(online)) = (self.mask_address, online_cpus()) else {
            return Vec::new();
        };
        if self.monitor.watched_cpus().is_empty() {
            return Vec::new();
        }
        self.monitor.follow_cpus(&[], address);
        let mut changes = self.watch_cpus(&online, address);
        if !self.unwatched.is_empty() {
            return changes;
        }
        changes.push(match self.monitor.prove_watchpoints() {
            Ok(()) => self.restore("the mask watch was armed again"),
            Err(error) => {
                let reason = format!("armed again, and the self-test failed: {error}");
                self.degrade(MASK_WATCH, &reason)
            }
        });
        changes
    }

    /// CPUs come and go; one without a watchpoint is a gap.
    fn follow_cpus(&mut self) -> Vec<Change> {
        let watched = self.monitor.watched_cpus();
        let (Some(address), Ok(online)) = (self.mask_address, online_cpus()) else {
            return Vec::new();
        };
        // None at all: this hook was not attached, or was lost, which is reported already.
        let was_complete = self.unwatched.is_empty();
        if watched.is_empty() || watched == online && was_complete {
            return Vec::new();
        }
        let mut changes = self.watch_cpus(&online, address);
        if self.unwatched.is_empty() && !was_complete {
            changes.push(self.restore("every CPU is watched again"));
        }
        changes
    }

    /// Sets a watchpoint on each CPU that has none. A CPU where that fails is reported once, however long it stays so.
    fn watch_cpus(&mut self, online: &[u32], address: u64) -> Vec<Change> {
        let failed = self.monitor.follow_cpus(online, address);
        let unwatched = failed.iter().map(|(cpu, _)| *cpu).collect();
        let before = std::mem::replace(&mut self.unwatched, unwatched);
        let new = failed.iter().filter(|(cpu, _)| !before.contains(cpu));
        new.map(|(cpu, why)| {
            let reason = format!("CPU {cpu} came online and cannot be watched: {why}");
            self.degrade(MASK_WATCH, &reason)
        })
        .collect()
    }

    /// The mask watch is complete again; whether the coverage is depends on the other hooks.
    fn restore(&mut self, news: &str) -> Change {
        let [_, of_mask] = &mut self.unproven;
        *of_mask = None;
        self.set_hook(MASK_WATCH, Some(Mechanism::Breakpoint), None);
        self.state(Some(news))
    }

    fn degrade(&mut self, name: &str, reason: &str) -> Change {
        if name == MASK_WATCH {
            self.monitor.distrust_watchpoints();
        }
        self.set_hook(name, None, Some(reason));
        self.change(CoverageState::Degraded, format!("{name}: {reason}"))
    }

    fn set_hook(&mut self, name: &str, mechanism: Option<Mechanism>, reason: Option<&str>) {
        let hooks = self.monitor.hooks.iter_mut();
        for found in hooks.filter(|hook| hook.layer == name) {
            *found = hook(name, mechanism, &[]);
            found.reason = reason.map(str::to_owned);
        }
    }
}
