//! What ran when a flag was set: a task, or an interrupt, for which no task is responsible.
//!
//! In: the finding, its parsed first line. Out: the context as far as it is known, and the task.

use crate::{
    event::{Context, Task},
    klog::{Finding, Ran},
    taint::{
        callers::{self, Part},
        log::TaintLine,
    },
};

/// What ran.
#[derive(Debug)]
pub(super) enum Running {
    /// No line names a task, or no task is responsible.
    NoTask(Option<Context>),
    /// The task of this CPU; where the context is absent, an interrupt may have come in its way.
    Task(Task, Option<Context>),
    /// An interrupt, and the task that it came in the way of.
    Interrupting(Task, Option<Context>),
}

impl Running {
    pub(super) fn context(&self) -> Option<Context> {
        match self {
            Self::NoTask(context) | Self::Task(_, context) | Self::Interrupting(_, context) => {
                *context
            }
        }
    }

    /// The task, unless an interrupt ran.
    pub(super) fn task(self) -> Option<Task> {
        match self {
            Self::Task(task, _) => Some(task),
            Self::NoTask(_) | Self::Interrupting(..) => None,
        }
    }
}

pub(super) fn running(finding: &Finding, taint_line: &TaintLine) -> Running {
    let place = taint_line.place;
    let part = place.and_then(|place| callers::known(place, taint_line.bit));
    let part = part.map(|place| place.part);
    // The watchdog is an interrupt itself; the task that it names is the one that does not stop.
    let ran = match finding.facts.ran {
        _ if place == Some("watchdog_timer_fn") => Ran::Unknown,
        ran => ran,
    };
    let context = match ran {
        Ran::Interrupt(context) => context,
        Ran::Task => Some(Context::Task),
        Ran::Unknown => (part == Some(Part::Asked)).then_some(Context::Task),
    };
    let named = || named(finding);
    match named().filter(|_| part != Some(Part::NoTask)) {
        None => Running::NoTask(context.filter(|context| *context != Context::Task)),
        Some(task) if matches!(ran, Ran::Interrupt(_)) => Running::Interrupting(task, context),
        Some(task) => Running::Task(task, context),
    }
}

/// The task that the report names, or its first line.
fn named(finding: &Finding) -> Option<Task> {
    let facts = &finding.facts;
    let (comm, pid) = match (facts.comm.clone(), facts.pid) {
        (Some(comm), Some(pid)) => (comm, pid),
        _ => asked(finding.lines.first()?)?,
    };
    Some(Task {
        pid,
        tid: pid,
        comm,
        ..Task::default()
    })
}

/// `Write to unrecognized MSR 0x1a0 by NAME (pid: 7)`, `NAME(7): has requested full access`.
fn asked(line: &str) -> Option<(String, u32)> {
    if let Some((_, rest)) = line.split_once("unrecognized MSR ") {
        let (comm, rest) = rest.split_once(" by ")?.1.split_once(" (pid: ")?;
        let comm = comm.split(" (pid").next().unwrap_or(comm);
        return Some((comm.to_owned(), rest.split(')').next()?.parse().ok()?));
    }
    let (before, _) = line.split_once("): has requested full access")?;
    let (comm, pid) = before.rsplit_once('(')?;
    let comm = comm.rsplit(": ").next().unwrap_or(comm);
    Some((comm.to_owned(), pid.parse().ok()?))
}
