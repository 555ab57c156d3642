//! Names held against the truth: in a scenario only certain modules and tasks act, and no event may name another.
//!
//! In: events of a scenario, who acted in it. Out: how many name their cause rightly, how many say that it is not
//! known, and which are wrong.

use std::collections::BTreeSet;

use serde_json::Value;

/// Who acts in a scenario.
#[derive(Clone, Copy)]
pub(crate) struct Actors {
    pub(crate) modules: &'static [&'static str],
    /// Names of tasks; those of kernel threads by their beginning.
    pub(crate) tasks: &'static [&'static str],
}

/// What events say, against the truth.
#[derive(Default)]
pub(crate) struct Verdict {
    pub(crate) right: usize,
    pub(crate) unknown: usize,
    pub(crate) wrong: Vec<String>,
}

impl Verdict {
    /// Judges the events about the mask or about modules.
    pub(crate) fn judge(&mut self, events: &[Value], actors: Actors) {
        let judged = [
            "taint",
            "mask_write",
            "module_load",
            "module_load_failed",
            "module_unload",
        ];
        for event in events {
            if !event["kind"]
                .as_str()
                .is_some_and(|kind| judged.contains(&kind))
            {
                continue;
            }
            let strangers = strangers(event, actors);
            if !strangers.is_empty() {
                self.wrong
                    .push(format!("{strangers:?} had no part: {event}"));
            } else if event["cause"]["class"] == "unknown" {
                self.unknown += 1;
            } else {
                self.right += 1;
            }
        }
    }
}

/// Those that an event names and that did not act.
fn strangers(event: &Value, actors: Actors) -> Vec<String> {
    let mut modules = BTreeSet::new();
    modules.extend(event["module"]["name"].as_str());
    // The frame that acted; those above it only called.
    modules.extend(event["caller"].as_str().and_then(module_of));
    let tasks = [
        &event["task"]["comm"],
        &event["requested_by"]["task"]["comm"],
    ];
    let tasks = tasks.into_iter().filter_map(Value::as_str);
    let acts = |task: &&str| actors.tasks.iter().any(|known| task.starts_with(known));
    let modules = modules
        .into_iter()
        .filter(|name| !actors.modules.contains(name));
    modules
        .chain(tasks.filter(|task| !acts(task)))
        .map(str::to_owned)
        .collect()
}

/// `symbol+0x1 [module]`.
fn module_of(caller: &str) -> Option<&str> {
    // From the right: a name may hold anything, but none of the test modules' ends so.
    if let Some(name) = caller
        .strip_suffix(" [x] [tw_storm]")
        .map(|_| "x] [tw_storm")
    {
        return Some(name);
    }
    caller.rsplit_once(" [")?.1.strip_suffix(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_somebody_who_had_no_part_is_wrong() {
        let actors = Actors {
            modules: &["a"],
            tasks: &["insmod", "kworker"],
        };
        let event = |module: &str, task: &str, caller: &str| {
            serde_json::json!({"kind": "taint", "module": {"name": module}, "task": {"comm": task}, "caller": caller,
                "cause": {"class": "module_load"}})
        };
        let mut verdict = Verdict::default();
        let events = [
            event("a", "kworker/0:1", "f+0x1 [a]"),
            event("b", "insmod", "f+0x1"),
            event("a", "bash", "f+0x1"),
            event("a", "insmod", "f+0x1 [b]"),
            serde_json::json!({"kind": "taint", "cause": {"class": "unknown"}}),
            serde_json::json!({"kind": "coverage"}),
        ];
        verdict.judge(&events, actors);
        assert_eq!(
            (verdict.right, verdict.unknown, verdict.wrong.len()),
            (1, 1, 3)
        );
    }
}
