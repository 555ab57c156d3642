//! Findings that say the same, as one line.
//!
//! In: findings in their order. Out: groups in the order of their first, with how many occurrences each stands for. Pure.

use super::{Finding, Outcome, whose::Whose};
use crate::{
    event::{Class, Event, Kind},
    history::{self, count},
};

/// What makes two findings the same: the task is no part of it, pids always differ.
type Key<'a> = (
    Whose,
    Option<usize>,
    Option<usize>,
    Kind,
    String,
    Option<Class>,
    Option<&'a str>,
    Option<&'a str>,
);

/// Findings of one cause.
#[derive(Debug)]
pub struct Group<'a> {
    pub first: &'a Finding,
    /// Occurrences, all that its events stand for.
    pub count: u64,
}

impl Outcome {
    /// The findings by cause: those that fail, that are allowed, and that do not count.
    #[must_use]
    pub fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut keys: Vec<Key<'_>> = Vec::new();
        for finding in &self.taints {
            let key = key(finding);
            let times = count(&finding.event);
            let known = keys.iter().position(|known| *known == key);
            if let Some(group) = known.and_then(|place| groups.get_mut(place)) {
                group.count = group.count.saturating_add(times);
                continue;
            }
            keys.push(key);
            groups.push(Group {
                first: finding,
                count: times,
            });
        }
        groups
    }
}

impl Group<'_> {
    /// `W`, `W +3`, `W ×3` for a flag that was new and then set again, `mask`.
    #[must_use]
    pub fn mark(&self) -> String {
        let taint = self.first.event.taint.as_ref();
        let is_first = taint.and_then(|taint| taint.first).unwrap_or(true);
        let flag = flag(&self.first.event);
        match (is_first, self.count) {
            (true, 0 | 1) => flag,
            (true, count) => format!("{flag} ×{count}"),
            (false, count) => format!("{flag} +{count}"),
        }
    }
}

/// The letter of the flag, its bit, or a word in its place.
#[must_use]
pub fn flag(event: &Event) -> String {
    let taint = event.taint.as_ref();
    match (event.kind, taint.and_then(|taint| taint.bit)) {
        (Kind::MaskWrite, _) => "mask".to_owned(),
        (_, Some(bit)) => history::mark(bit, taint.and_then(|taint| taint.letter)),
        (_, None) => "?".to_owned(),
    }
}

fn key(finding: &Finding) -> Key<'_> {
    let event = &finding.event;
    let function = event.caller.as_deref();
    let function = function.map(|caller| caller.split('+').next().unwrap_or(caller));
    (
        finding.whose,
        finding.allowed,
        finding.expired,
        event.kind,
        flag(event),
        event.cause.as_ref().map(|cause| cause.class),
        event.module_name(),
        function,
    )
}
