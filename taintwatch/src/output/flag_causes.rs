//! What a log tells of one flag, in few lines.
//!
//! In: the events of a boot that tell of the flag, in the order of the log. Out: a line each cause, the first one first:
//! a cause that comes later explains itself, and not what was before it. Modules that were loaded share a line.

use super::{
    escape::Escaped,
    style::{BOLD, DIM},
};
use crate::{
    event::{Cause, Class, Confidence, Event},
    history::mark,
};

/// Causes that are shown.
const MOST: usize = 6;
/// Causes that are told apart.
const MOST_KNOWN: usize = 64;

/// What explains a flag.
#[derive(Debug, Default)]
pub(super) struct FlagCauses {
    /// As the vendor of that kernel has it.
    pub(super) letter: Option<char>,
    causes: Vec<Told>,
    /// Causes beyond those that are told apart.
    more: usize,
}

/// A cause, and how often the log tells of it.
#[derive(Debug)]
struct Told {
    confidence: Confidence,
    /// Of a cause that is told again, these are the same.
    what: String,
    summary: String,
    /// Modules that brought the flag with them, each with its count.
    loaded: Vec<(String, u64)>,
    count: u64,
}

/// What is the same when an event is told again: the code, else the words.
pub(super) fn what<'a>(event: &'a Event, cause: &'a Cause) -> &'a str {
    event.caller.as_ref().unwrap_or(&cause.summary)
}

impl FlagCauses {
    pub(super) fn note(&mut self, event: &Event, cause: &Cause) {
        let module = event
            .module
            .as_ref()
            .and_then(|module| module.name.as_ref());
        let loaded = module.filter(|_| cause.class == Class::ModuleLoad);
        let what = what(event, cause);
        let has_room = self.causes.len() < MOST_KNOWN;
        let known = self.causes.iter_mut().find(|told| {
            let is_same = told.what == what || loaded.is_some() && !told.loaded.is_empty();
            told.confidence == cause.confidence && is_same
        });
        match known {
            Some(told) => told.again(loaded),
            None if has_room => self.causes.push(Told {
                confidence: cause.confidence,
                what: what.to_owned(),
                summary: cause.summary.clone(),
                loaded: loaded.map(|name| (name.clone(), 1)).into_iter().collect(),
                count: 1,
            }),
            None => self.more = self.more.saturating_add(1),
        }
    }

    /// The first begins with the flag.
    pub(super) fn lines(&self, bit: u32) -> Vec<String> {
        let flag = mark(bit, self.letter);
        let heads = std::iter::once(flag.as_str()).chain(std::iter::repeat(""));
        let shown = self.causes.iter().take(MOST).zip(heads);
        let mut lines: Vec<_> = shown
            .map(|(told, head)| format!("{BOLD}{head:<5}{BOLD:#} {}", told.words()))
            .collect();
        let more = self
            .causes
            .len()
            .saturating_sub(MOST)
            .saturating_add(self.more);
        if more > 0 {
            lines.push(format!("      {DIM}and {more} other causes{DIM:#}"));
        }
        lines
    }
}

impl Told {
    fn again(&mut self, loaded: Option<&String>) {
        let Some(name) = loaded else {
            self.count += 1;
            return;
        };
        let has_room = self.loaded.len() < MOST_KNOWN;
        match self.loaded.iter_mut().find(|(known, _)| known == name) {
            Some((_, count)) => *count += 1,
            None if has_room => self.loaded.push((name.clone(), 1)),
            None => {}
        }
    }

    fn words(&self) -> String {
        let times = |count: u64| match count {
            0 | 1 => String::new(),
            many => format!(", told {many} times"),
        };
        let modules: Vec<_> = self
            .loaded
            .iter()
            .map(|(name, count)| format!("{}{}", Escaped(name), times(*count)))
            .collect();
        let what = if !modules.is_empty() {
            modules.join(", ")
        } else if self.confidence == Confidence::Unattributed {
            format!("{DIM}unknown: {}{DIM:#}", Escaped(&self.summary))
        } else {
            format!("{}{}", Escaped(&self.summary), times(self.count))
        };
        format!("{what} {DIM}({}){DIM:#}", self.confidence.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(class: &str, confidence: &str, summary: &str, module: &str) -> Event {
        serde_json::from_value(serde_json::json!({
            "schema": 1, "id": "x", "seq": 0, "kind": "taint", "taint": {"bit": 9},
            "cause": {"class": class, "confidence": confidence, "summary": summary, "sources": []},
            "module": {"name": module},
        }))
        .unwrap()
    }

    fn told(events: &[Event]) -> String {
        let mut explained = FlagCauses::default();
        for event in events {
            explained.note(event, event.cause.as_ref().unwrap());
        }
        let lines = explained.lines(9).join("\n");
        anstream::adapter::strip_str(&lines).to_string()
    }

    #[test]
    fn each_cause_stands_for_itself() {
        let mut kernels = event("kernel_code", "logged", "a warning at f", "");
        kernels.module = None;
        let modules = event(
            "module_code",
            "logged",
            "a warning in code of the module a",
            "a",
        );
        assert_eq!(
            told(&[kernels.clone(), modules, kernels]),
            "[9]   a warning at f, told 2 times (logged)\n      a warning in code of the module a (logged)"
        );
    }

    #[test]
    fn what_is_listed_later_does_not_explain_what_was_before() {
        let mut before = event("unknown", "unattributed", "set before this", "");
        before.module = None;
        let load = |confidence, module| event("module_load", confidence, module, module);
        assert_eq!(
            told(&[
                before,
                load("listed", "a"),
                load("logged", "b"),
                load("logged", "c"),
                load("logged", "b")
            ]),
            "[9]   unknown: set before this (unattributed)\n      a (listed)\n      b, told 2 times, c (logged)"
        );
    }

    #[test]
    fn a_storm_of_causes_is_counted() {
        let events: Vec<_> = (0..100)
            .map(|number| event("kernel_code", "logged", &number.to_string(), "a"))
            .collect();
        let text = told(&events);
        assert_eq!(text.lines().count(), MOST + 1);
        assert!(text.ends_with("and 94 other causes"), "{text}");
    }
}
