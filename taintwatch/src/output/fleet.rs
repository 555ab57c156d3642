//! What machines have in common, as a text that fits a mail.
//!
//! In: the causes and the machines. Out: how many machines have which flags, what set them, the newest first, which
//! machines differ, and whose record is incomplete. Long lists are cut by the report's limits, and say so.

use std::collections::BTreeSet;

use super::{
    format::{self, clock},
    layout::Layout,
    limits::Limits,
    style::{ALARM, BOLD, CAUTION, DIM},
};
use crate::{
    event::{Class, Time},
    fleet::{Cause, Fleet, Machine, groups},
};

/// Where the text of a fact begins.
const COLUMN: usize = 10;

/// Machines that are named; of more than these only the number says something.
pub(super) const NAMED: usize = 20;

/// What stands above the machines.
#[derive(Debug)]
pub struct Head {
    /// What was asked for, in words.
    pub scope: String,
    pub made: Time,
}

/// Prints the view.
pub fn print(fleet: &Fleet, head: &Head, limits: Limits, layout: &mut Layout) {
    layout.title(0, "What taints these machines");
    let fact = |layout: &mut Layout, name: &str, text: &str| {
        layout.marked(0, name, COLUMN, DIM, text);
    };
    fact(layout, "scope", &head.scope);
    let (made, version) = (clock(head.made), env!("CARGO_PKG_VERSION"));
    let made = format!("{made} by taintwatch {version}; all times are UTC");
    fact(layout, "made", &made);
    fact(layout, "history", &size(fleet));
    let machines = fleet.machines();
    flags(fleet, &machines, limits, layout);
    causes(fleet, &machines, limits, layout);
    doubts(fleet, &machines, limits, layout);
}

/// How much it is.
#[must_use]
pub fn size(fleet: &Fleet) -> String {
    let size = fleet.size();
    let events = usize::try_from(size.events).unwrap_or(usize::MAX);
    format!(
        "{}, {}, {}",
        format::number(size.machines, "machine"),
        format::number(size.boots, "boot"),
        format::number(events, "event")
    )
}

/// Machines by the flags of their newest boots.
fn flags(fleet: &Fleet, machines: &[Machine], limits: Limits, layout: &mut Layout) {
    let groups = groups(machines);
    layout.section(2, "Flags of the newest boots");
    let (shown, more) = limits.first(&groups);
    for group in shown {
        let letters = if group.letters.is_empty() {
            "none"
        } else {
            group.letters
        };
        let number = format::number(group.machines.len(), "machine");
        let releases = format::list(&group.releases(), limits);
        layout.marked(
            2,
            letters,
            10,
            BOLD,
            &format!("{number}, kernel {releases}"),
        );
        // The many are the rule; those that differ from them have names.
        if group.machines.len() <= NAMED {
            let hosts = group.machines.iter().map(|it| it.host.as_deref());
            layout.indented(12, &named(fleet, hosts, limits));
        }
    }
    if more > 0 {
        layout.indented(
            2,
            &format!("and {}", format::number(more, "more such group")),
        );
    }
}

fn causes(fleet: &Fleet, machines: &[Machine], limits: Limits, layout: &mut Layout) {
    let causes = fleet.causes();
    if causes.is_empty() {
        layout.blank();
        return layout.indented(2, "the history has no such event that sets a flag");
    }
    layout.section(2, "What set them, the newest first");
    let most = limits.groups;
    for cause in causes.iter().take(most) {
        let mark = cause.flag.as_str();
        layout.marked(2, mark, 4, BOLD, &title(cause));
        layout.indented(6, &extent(cause, machines.len()));
        layout.marked(6, "machines", 9, DIM, &who(fleet, cause, machines, limits));
        if !cause.releases.is_empty() {
            let releases = format::list(&cause.releases, limits);
            layout.marked(6, "kernels", 9, DIM, &releases);
        }
    }
    let more = causes.len().saturating_sub(most);
    if more > 0 {
        let more = format::number(more, "more cause");
        layout.indented(
            2,
            &format!(
                "and {more}: `--full` prints each, `--flag`, `--module` and `--since` narrow it"
            ),
        );
    }
}

/// What set the flag, in words.
#[must_use]
pub fn title(cause: &Cause) -> String {
    let name = cause.name.as_deref().unwrap_or("no known name");
    let version = cause
        .version
        .as_deref()
        .map(|version| format!(" {version}"));
    let module = cause.module.as_ref();
    let module = module.map(|module| format!("{module}{}", version.unwrap_or_default()));
    let some_module = || module.clone().unwrap_or_else(|| "a module".to_owned());
    let code = match (&cause.function, &module) {
        (Some(function), Some(module)) => format!("{function} of {module}"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => "code that is not known".to_owned(),
    };
    let by = match cause.class {
        Some(Class::ModuleLoad) => format!("{} was loaded", some_module()),
        Some(Class::ModuleUnload) => format!("{} was unloaded by force", some_module()),
        Some(Class::ModuleCode | Class::KernelCode) => code,
        Some(Class::SysctlWrite) => "a write to /proc/sys/kernel/tainted".to_owned(),
        Some(Class::DirectWrite) => format!("{code} wrote the mask past add_taint"),
        Some(Class::Boot) => "set at boot, before monitoring began".to_owned(),
        Some(Class::Unknown) | None => format!("cause not known, {code}"),
    };
    format!("{name}: {by}")
}

/// How many, how often, since when.
#[must_use]
pub fn extent(cause: &Cause, all: usize) -> String {
    let times = format::times(cause.count);
    let machines = format!("{} of {}", cause.machines, format::number(all, "machine"));
    let since = cause.first.map(|first| format!("first {}", clock(first)));
    let last = cause.last.filter(|last| Some(*last) != cause.first);
    let last = last.map(|last| format!("last {}", clock(last)));
    let parts = [Some(machines), Some(times), since, last]
        .into_iter()
        .flatten();
    parts.collect::<Vec<_>>().join(", ")
}

/// The machines that have it, or those that do not, whichever are fewer.
#[must_use]
pub fn who(fleet: &Fleet, cause: &Cause, machines: &[Machine], limits: Limits) -> String {
    let has = |machine: &&Machine| {
        let host = machine.host.as_ref();
        host.is_some_and(|host| cause.hosts.contains(host))
    };
    if cause.machines == machines.len() && machines.len() > 1 {
        return "all".to_owned();
    }
    let fewer = cause
        .machines
        .min(machines.len().saturating_sub(cause.machines));
    if fewer > NAMED && limits.list <= NAMED {
        return "too many to name: `--fleet --json` lists them".to_owned();
    }
    if cause.machines * 2 <= machines.len() || cause.machines != cause.hosts.len() {
        let hosts = cause.hosts.iter().map(|host| Some(host.as_str()));
        let unknown = cause.machines.saturating_sub(cause.hosts.len());
        let unknown = std::iter::repeat_n(None, unknown);
        return named(fleet, hosts.chain(unknown), limits);
    }
    let lack = machines.iter().filter(|machine| !has(machine));
    let lack = lack.map(|machine| machine.host.as_deref());
    format!("all but {}", named(fleet, lack, limits))
}

/// The first machines by name, and how many more.
fn named<'h>(
    fleet: &Fleet,
    hosts: impl Iterator<Item = Option<&'h str>>,
    limits: Limits,
) -> String {
    let names: BTreeSet<_> = hosts.map(|host| fleet.called(host)).collect();
    let names: Vec<_> = names.into_iter().collect();
    format::list(&names, limits)
}

/// What makes a machine's record incomplete, or its mask a lie.
fn doubts(fleet: &Fleet, machines: &[Machine], limits: Limits, layout: &mut Layout) {
    let mut doubtful: Vec<_> = machines.iter().filter(|it| it.is_doubtful()).collect();
    if doubtful.is_empty() {
        return;
    }
    doubtful.sort_by_key(|it| std::cmp::Reverse((it.cleared, it.gap_seconds, it.losses.total())));
    layout.section(
        2,
        "Machines whose record is incomplete or whose mask was cleared",
    );
    let (shown, more) = limits.first(&doubtful);
    for machine in shown {
        let style = if machine.cleared > 0 { ALARM } else { CAUTION };
        let name = fleet.called(machine.host.as_deref());
        layout.marked(2, &name, 0, style, "");
        layout.indented(6, &doubt(machine));
    }
    if more > 0 {
        layout.indented(2, &format!("and {}", format::number(more, "more machine")));
    }
}

/// The same of one machine, in words.
#[must_use]
pub fn doubt(machine: &Machine) -> String {
    let length = i64::try_from(machine.gap_seconds).unwrap_or(i64::MAX);
    let length = format::length(jiff::SignedDuration::from_secs(length));
    let parts = [
        (machine.cleared > 0).then(|| format!("flags cleared {}", format::times(machine.cleared))),
        (machine.gaps > 0).then(|| {
            format!(
                "{} without monitoring, {length}",
                format::number(machine.gaps, "time")
            )
        }),
        (machine.degraded > 0).then(|| {
            format!(
                "{} with a layer missing",
                format::number(machine.degraded, "interval")
            )
        }),
        (machine.not_monitored > 0).then(|| {
            format!(
                "{} without a daemon",
                format::number(machine.not_monitored, "boot")
            )
        }),
    ];
    let parts = parts.into_iter().flatten();
    let parts = parts.chain(machine.losses.sentences());
    parts.collect::<Vec<_>>().join("; ")
}
