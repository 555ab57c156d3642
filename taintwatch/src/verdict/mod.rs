//! What the taints in the time of one command mean for it.
//!
//! In: the events of that time, how the command's processes are known, what is allowed, how it ended. Out: each taint with
//! whose it is and whether it is allowed, what was not seen, and the exit code. Pure.

pub mod allow;
pub mod group;
pub mod whose;

use serde::Serialize;

use crate::{
    event::{CoverageState, Event, Kind, Mask, Time},
    history::count,
};
use allow::Rule;
use whose::{Processes, Whose};

/// The kernel was tainted.
pub const TAINTED: u8 = 99;
/// It is not known whether it was.
pub const UNWATCHED: u8 = 125;
/// The command could not be started.
pub const NOT_STARTED: u8 = 126;
/// The command was not found.
pub const NOT_FOUND: u8 = 127;
/// The version of the JSON object.
const SCHEMA: u32 = 1;
/// Events that are kept whole; of more, only the number is.
const KEPT: usize = 10_000;

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    Exit(u8),
    Signal(i32),
    /// It did not begin, for this reason.
    NotFound(String),
    NotStarted(String),
}

/// What the run comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing that counts tainted the kernel.
    Clean,
    Tainted,
    /// Not all of the time was watched, or something was lost.
    Unwatched,
    /// The command did not begin.
    NotStarted,
}

/// Who saw the taints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Monitor {
    Daemon,
    Itself,
}

/// What counts as a failure.
#[derive(Clone, Debug)]
pub struct Policy {
    pub rules: Vec<Rule>,
    /// Whose taints count.
    pub whose: Vec<Whose>,
    /// Whether what was not seen is accepted.
    pub gaps_allowed: bool,
    /// For rules that end.
    pub today: jiff::civil::Date,
}

/// One event that tainted the kernel.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub whose: Whose,
    /// Whether it makes the run fail.
    pub fails: bool,
    /// The number of the rule that allows it, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<usize>,
    /// The number of the rule that would have, had its last day not passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expired: Option<usize>,
    pub event: Event,
}

/// What happened in the time of a command, so far.
#[derive(Debug)]
pub struct Judge {
    processes: Processes,
    policy: Policy,
    findings: Vec<Finding>,
    /// Of events past those that are kept: how many, and how many of them count.
    more: u64,
    more_failing: u64,
    gaps: Vec<String>,
    notes: Vec<String>,
    used: Vec<u64>,
}

/// What is known of the command itself.
#[derive(Clone, Debug, Serialize)]
pub struct Command {
    pub words: Vec<String>,
    pub ended: Ended,
    pub began: Time,
    pub lasted_ns: u64,
    /// Its cgroup; absent where it had none of its own and its processes are known by their parents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    /// Whether processes of it were left.
    pub left_running: bool,
}

/// The whole of it: what `--json` writes.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    pub schema: u32,
    pub verdict: Verdict,
    pub exit_code: u8,
    pub command: Command,
    pub monitor: Monitor,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask_before: Option<Mask>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask_after: Option<Mask>,
    /// Events that tainted the kernel, in their order.
    pub taints: Vec<Finding>,
    /// How many more there were.
    pub more: u64,
    /// What was not seen.
    pub gaps: Vec<String>,
    /// What else a reader should know.
    pub notes: Vec<String>,
    pub rules: Vec<Rule>,
    /// How often each rule was used.
    pub used: Vec<u64>,
}

impl Judge {
    #[must_use]
    pub fn new(processes: Processes, policy: Policy) -> Self {
        Self {
            used: vec![0; policy.rules.len()],
            processes,
            policy,
            findings: Vec::new(),
            more: 0,
            more_failing: 0,
            gaps: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Takes the next event of the time.
    pub fn event(&mut self, event: Event) {
        match event.kind {
            Kind::Taint | Kind::MaskWrite => self.taint(event),
            Kind::Coverage => self.coverage(&event),
            Kind::Lost => self.lost(&event),
            Kind::ModuleLoad | Kind::ModuleLoadFailed | Kind::ModuleUnload => {}
        }
    }

    /// Something was not seen.
    pub fn gap(&mut self, what: impl Into<String>) {
        push(&mut self.gaps, what.into());
    }

    pub fn note(&mut self, what: impl Into<String>) {
        push(&mut self.notes, what.into());
    }

    /// Takes an event again, with what was found out since it was taken.
    pub fn amend(&mut self, event: Event) {
        let known = self.findings.iter_mut().rev();
        if let Some(finding) = known.into_iter().find(|known| known.event.id == event.id) {
            *finding = found(&self.processes, &self.policy, event);
        }
    }

    fn taint(&mut self, event: Event) {
        let finding = found(&self.processes, &self.policy, event);
        if self.findings.len() < KEPT {
            return self.findings.push(finding);
        }
        self.more += 1;
        self.more_failing += u64::from(finding.fails);
        self.use_rule(&finding);
    }

    fn use_rule(&mut self, finding: &Finding) {
        if let Some(used) = finding.allowed.and_then(|rule| self.used.get_mut(rule)) {
            *used += count(&finding.event);
        }
    }

    fn coverage(&mut self, event: &Event) {
        let Some(coverage) = &event.coverage else {
            return;
        };
        match coverage.state {
            CoverageState::Began => {}
            CoverageState::Degraded => {
                self.gap(format!("monitoring is degraded: {}", coverage.reason));
            }
            CoverageState::Ended => self.gap(format!("monitoring ended: {}", coverage.reason)),
        }
    }

    /// Occurrences without detail are counted, and lines of the log are no occurrences.
    fn lost(&mut self, event: &Event) {
        let Some(lost) = &event.lost else { return };
        let what = format!(
            "{} {} records were lost: {}",
            lost.count, lost.what, lost.reason
        );
        if lost.is_detail() || lost.what == "log_line" {
            self.note(what);
        } else {
            self.gap(what);
        }
    }

    /// What it comes to.
    #[must_use]
    pub fn outcome(
        mut self,
        command: Command,
        monitor: Monitor,
        (mask_before, mask_after): (Option<Mask>, Option<Mask>),
    ) -> Outcome {
        self.check_masks(mask_before, mask_after);
        let findings = std::mem::take(&mut self.findings);
        for finding in &findings {
            self.use_rule(finding);
        }
        let fails = self.more_failing > 0 || findings.iter().any(|finding| finding.fails);
        let is_open = !self.gaps.is_empty() && !self.policy.gaps_allowed;
        let (verdict, exit_code) = match command.ended {
            Ended::NotFound(_) => (Verdict::NotStarted, NOT_FOUND),
            Ended::NotStarted(_) => (Verdict::NotStarted, NOT_STARTED),
            _ if fails => (Verdict::Tainted, TAINTED),
            _ if is_open => (Verdict::Unwatched, UNWATCHED),
            Ended::Exit(code) => (Verdict::Clean, code),
            Ended::Signal(number) => (
                Verdict::Clean,
                u8::try_from(number).map_or(u8::MAX, |number| number.saturating_add(128)),
            ),
        };
        Outcome {
            schema: SCHEMA,
            verdict,
            exit_code,
            command,
            monitor,
            mask_before,
            mask_after,
            taints: findings,
            more: self.more,
            gaps: self.gaps,
            notes: self.notes,
            rules: self.policy.rules,
            used: self.used,
        }
    }

    /// A flag that is set now, was not before, and that no event has: something was missed.
    fn check_masks(&mut self, before: Option<Mask>, after: Option<Mask>) {
        let (Some(before), Some(after)) = (before, after) else {
            return;
        };
        let is_unexplained =
            |bit: &u32| !self.findings.iter().any(|finding| finding.event.sets(*bit));
        let bits: Vec<_> = after.minus(before).bits().filter(is_unexplained).collect();
        if self.more == 0 && !bits.is_empty() {
            self.gap(format!(
                "bits {bits:?} of the mask were set, and no event shows it"
            ));
        }
    }
}

/// An event, judged.
fn found(processes: &Processes, policy: &Policy, event: Event) -> Finding {
    let whose = processes.whose(&event);
    let found = allow::find(&policy.rules, &event, policy.today);
    Finding {
        whose,
        fails: found.allowed.is_none() && policy.whose.contains(&whose),
        allowed: found.allowed,
        expired: found.expired,
        event,
    }
}

/// Adds a text that is not there yet; a monitor that comes and goes does not fill the memory.
fn push(list: &mut Vec<String>, text: String) {
    const LINES: usize = 50;
    if list.len() < LINES && !list.contains(&text) {
        list.push(text);
    }
}

#[cfg(test)]
pub(crate) mod tests;
