//! Whether each hook is in place, and stays there.
//!
//! In: the monitor, and what its hooks have seen. Out: changes of the coverage: began, degraded, complete again, and
//! times that are over in which a CPU had no watchpoint.

use std::{thread::sleep, time::Duration};

use taintwatch_common::counter;

use super::{armed::Armed, standing::standing, wake::Wake};
use crate::{
    event::CoverageState,
    kernel::{identity::boottime_ns, log_clock::suspended_ns},
    probe::{
        self,
        attempts::hook,
        hooks::{MASK_WATCH, TAINT_ENTRY},
        mechanism::Mechanism,
        monitor::{Monitor, online_cpus},
    },
    watcher::{
        cross_check::{CrossCheck, Missed, Seen},
        events::{Change, Gap},
    },
};

/// Between two readings of a watchpoint that tell whether it is in place.
const TWICE: Duration = Duration::from_millis(1);
/// How often all are read without a reason: each reading interrupts the CPU.
const LOOKS_NS: u64 = 60_000_000_000;

/// The clocks are not read at once; no suspend is shorter.
const SUSPEND_NS: u64 = 500_000_000;

/// The hooks, and what is known of each.
pub(super) struct Layers {
    pub(super) monitor: Monitor,
    cross_check: CrossCheck,
    mask_address: Option<u64>,
    /// CPUs that were reported to have no watchpoint.
    unwatched: Vec<u32>,
    /// What was missing when the coverage began is in place since.
    is_restored: bool,
    armed: Armed,
    wake: Wake,
    /// When all watchpoints were read last.
    looked_ns: u64,
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
            is_restored: false,
            armed: Armed::default(),
            wake: Wake::begin(),
            looked_ns: 0,
            suspended_ns: suspended_ns(),
            spurious: 0,
            limited: 0,
            unproven: [None, None],
        }
    }

    /// Tests the hooks; the change that every coverage begins with.
    pub(super) fn begin(&mut self) -> Result<Change, probe::Error> {
        let (taken_over, was_whole) = self.take_over().unzip();
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
        self.look();
        let mut change = self.state(taken_over.as_deref());
        if was_whole == Some(false) {
            // The time before was not watched in full; what is now, the next change says.
            change.state = CoverageState::Degraded;
            self.is_restored = true;
        }
        Ok(Change {
            self_test,
            attached_since_ns: self.monitor.adopted_since_ns,
            ..change
        })
    }

    /// Sets watchpoints anew that ended while no daemon ran, and says what was taken over. The second: each was in place
    /// all the time.
    fn take_over(&mut self) -> Option<(String, bool)> {
        self.monitor.adopted_since_ns?;
        let whole = "what an earlier daemon attached is taken over";
        let is_whole = Some((whole.to_owned(), true));
        let (Some(address), Ok(online)) = (self.mask_address, online_cpus()) else {
            return is_whole;
        };
        self.monitor.distrust_watchpoints();
        let dead = self.look();
        if dead.is_empty() {
            return is_whole;
        }
        let mut kept = online.clone();
        kept.retain(|cpu| !dead.contains(cpu));
        self.monitor.follow_cpus(&kept, address);
        self.watch_cpus(&online, address);
        let dead: Vec<_> = dead.iter().map(u32::to_string).collect();
        let reason = format!(
            "{whole}, but for the watchpoints of CPU {}, which had ended and are set anew",
            dead.join(", ")
        );
        Some((reason, false))
    }

    /// What has changed since the last call.
    pub(super) fn check(&mut self) -> Result<Vec<Change>, probe::Error> {
        self.count_spurious()?;
        self.count_limited()?;
        let mut changes = self.compare()?;
        if std::mem::take(&mut self.is_restored) {
            changes.push(self.state(Some("every CPU is watched again")));
        }
        changes.extend(self.arm_after_suspend());
        changes.extend(self.follow_cpus());
        Ok(changes)
    }

    /// Until a CPU came or went, or the machine woke up.
    pub(super) async fn woken(&mut self) {
        self.wake.woken().await;
    }

    /// What has changed by that.
    pub(super) fn follow(&mut self) -> Vec<Change> {
        self.looked_ns = 0;
        let mut changes = self.arm_after_suspend();
        changes.extend(self.follow_cpus());
        changes
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
            unwatched: None,
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
        self.look();
        self.arm(&[], &online, address, "the mask watch was armed again")
    }

    /// CPUs come and go; one without a watchpoint is a gap. One that went and came back between two looks has a
    /// watchpoint that the kernel took away.
    fn follow_cpus(&mut self) -> Vec<Change> {
        let watched = self.monitor.watched_cpus();
        let (Some(address), Ok(online)) = (self.mask_address, online_cpus()) else {
            return Vec::new();
        };
        // None at all: this hook was not attached, or was lost, which is reported already.
        if watched.is_empty() {
            return Vec::new();
        }
        let now_ns = boottime_ns();
        let is_due = now_ns.saturating_sub(self.looked_ns) >= LOOKS_NS;
        let dead = if is_due { self.look() } else { Vec::new() };
        self.armed.listed(&online, now_ns);
        if watched == online && dead.is_empty() && self.unwatched.is_empty() {
            return Vec::new();
        }
        let mut kept = watched;
        kept.retain(|cpu| online.contains(cpu) && !dead.contains(cpu));
        self.arm(&kept, &online, address, "every CPU is watched again")
    }

    /// Reads every watchpoint; gives the CPUs whose watchpoint is no longer in place.
    fn look(&mut self) -> Vec<u32> {
        let mut first = self.monitor.enabled_ns();
        sleep(TWICE);
        let mut second = self.monitor.enabled_ns();
        // No descriptor leads to those that an earlier daemon set: whether they count is all that can be asked.
        match self.monitor.adopted_alive() {
            Ok(adopted) => {
                first.extend(adopted.iter().map(|(cpu, _)| (*cpu, Some(0))));
                let counts = |(cpu, is_alive)| (cpu, Some(u64::from(is_alive)));
                second.extend(adopted.into_iter().map(counts));
            }
            Err(error) => log::warn!("whether the watchpoints still count is not known: {error}"),
        }
        self.looked_ns = boottime_ns();
        self.armed.look(&first, &second, self.looked_ns)
    }

    /// Keeps the watchpoints of some CPUs, and sets one on each other; says in which time those had none.
    fn arm(&mut self, kept: &[u32], online: &[u32], address: u64, news: &str) -> Vec<Change> {
        let was_complete = self.unwatched.is_empty();
        self.monitor.follow_cpus(kept, address);
        let mut changes = self.watch_cpus(online, address);
        let now_ns = boottime_ns();
        let watched = self.monitor.watched_cpus();
        let set: Vec<_> = watched
            .into_iter()
            .filter(|cpu| !kept.contains(cpu))
            .collect();
        let gap = self.armed.set(&set, now_ns);
        if !set.is_empty() {
            self.look();
        }
        // Only fewer CPUs than before, or one that still cannot be watched.
        let is_complete = self.unwatched.is_empty();
        if set.is_empty() && was_complete == is_complete {
            return changes;
        }
        if !is_complete {
            changes.extend(gap.map(|gap| self.report(gap, None)));
            return changes;
        }
        let change = match self.monitor.prove_watchpoints() {
            Ok(()) => self.restore(news),
            Err(error) => {
                let reason = format!("armed again, and the self-test failed: {error}");
                self.degrade(MASK_WATCH, &reason)
            }
        };
        changes.push(match gap {
            Some(gap) => self.report(gap, Some(change)),
            None => change,
        });
        changes
    }

    /// Adds a time without watchpoints to a change of the coverage, or to the coverage as it stands.
    fn report(&self, gap: Gap, change: Option<Change>) -> Change {
        let change = change.unwrap_or_else(|| self.state(None));
        let cpus: Vec<_> = gap.cpus.iter().map(u32::to_string).collect();
        let cpus = match cpus.as_slice() {
            [cpu] => format!("CPU {cpu}"),
            _ => format!("CPUs {}", cpus.join(", ")),
        };
        let length = Duration::from_nanos(gap.to_ns.saturating_sub(gap.from_ns));
        let seconds = length.as_secs_f64();
        let reason = format!(
            "{}; the mask was not watched on {cpus} for {seconds:.3} s before",
            change.reason
        );
        Change {
            reason,
            unwatched: Some(gap),
            ..change
        }
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
