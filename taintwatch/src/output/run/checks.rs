//! The outcome of a run as a list of checks, for formats that count passes and failures.
//!
//! In: the outcome. Out: checks with a name and a result; not yet escaped for a format.

use crate::{
    output::{event_line, format},
    verdict::{Ended, Outcome, allow::Rule, group::Group},
};

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub name: String,
    pub result: Checked,
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    Passed,
    /// In short, and the lines that tell more.
    Failed(String, Vec<String>),
    /// It could not be checked.
    Unknown(String, Vec<String>),
    /// It is not held against the run, for this reason.
    Skipped(String),
}

/// The command, the coverage, and a check for each cause of a taint.
#[must_use]
pub fn of(outcome: &Outcome) -> Vec<Check> {
    let mut checks = vec![command(outcome), coverage(outcome)];
    let groups = outcome.groups();
    let of_groups = groups.iter().map(|group| taint(outcome, group));
    if groups.iter().any(|group| group.first.fails) {
        checks.extend(of_groups);
    } else {
        checks.push(Check {
            name: "the kernel is not tainted".to_owned(),
            result: Checked::Passed,
        });
        checks.extend(of_groups);
    }
    checks
}

fn command(outcome: &Outcome) -> Check {
    let result = match &outcome.command.ended {
        Ended::Exit(0) => Checked::Passed,
        other => Checked::Failed(ended(other), Vec::new()),
    };
    Check {
        name: format!("the command succeeds: {}", outcome.command.words.join(" ")),
        result,
    }
}

fn coverage(outcome: &Outcome) -> Check {
    let result = match outcome.gaps.as_slice() {
        [] => Checked::Passed,
        [first, ..] => Checked::Unknown(first.clone(), outcome.gaps.clone()),
    };
    Check {
        name: "the whole time is monitored".to_owned(),
        result,
    }
}

fn taint(outcome: &Outcome, group: &Group<'_>) -> Check {
    let finding = group.first;
    let event = &finding.event;
    let whose = finding.whose.as_str();
    let code = event.caller.as_deref().unwrap_or("unknown code");
    let result = match finding.allowed.and_then(|rule| outcome.rules.get(rule)) {
        Some(rule) => Checked::Skipped(allowed(rule)),
        None if !finding.fails => Checked::Skipped(format!("whose it is does not count: {whose}")),
        None => {
            let short = format!("{}: {}", group.mark(), event_line::sentence(event));
            Checked::Failed(short, details(outcome, group))
        }
    };
    Check {
        name: format!(
            "no taint {}, by {whose}, in {code}",
            crate::verdict::group::flag(event)
        ),
        result,
    }
}

/// What a person needs to find the cause.
fn details(outcome: &Outcome, group: &Group<'_>) -> Vec<String> {
    let event = &group.first.event;
    let mut lines = vec![format!("{}, {}", event.time, format::times(group.count))];
    lines.extend(
        event
            .task
            .as_ref()
            .map(|task| format!("task {}", format::task(task))),
    );
    lines.extend(expired(outcome, group));
    lines.extend(event.stack.iter().map(|frame| format!("  {frame}")));
    lines.extend(event.log.iter().cloned());
    lines
}

/// That a rule would have allowed it, until its last day.
pub(super) fn expired(outcome: &Outcome, group: &Group<'_>) -> Option<String> {
    let rule = outcome.rules.get(group.first.expired?)?;
    let last = rule.expires?;
    let reason = rule.reason.as_deref().unwrap_or("no reason given");
    Some(format!("it was allowed until {last}: {reason}"))
}

/// Why it is allowed, and how long.
pub(super) fn allowed(rule: &Rule) -> String {
    let until = rule
        .expires
        .map(|last| format!(" until {last}"))
        .unwrap_or_default();
    let reason = rule.reason.as_deref().map(|reason| format!(": {reason}"));
    format!("allowed{until}{}", reason.unwrap_or_default())
}

/// How the command ended, in words.
pub(super) fn ended(ended: &Ended) -> String {
    match ended {
        Ended::Exit(code) => format!("it exited with {code}"),
        Ended::Signal(number) => format!("signal {number} killed it"),
        Ended::NotFound(why) | Ended::NotStarted(why) => format!("it did not start: {why}"),
    }
}
