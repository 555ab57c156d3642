//! Names held against the truth: in a scenario only certain modules and tasks act, and no event may name another.
//!
//! In: events of a scenario, who acted in it. Out: how many name their cause rightly, how many say that it is not
//! known, and which are wrong: they name somebody who had no part, or claim a cause without a name.

use std::collections::BTreeSet;

use serde_json::Value;

/// Who acts in a scenario.
#[derive(Clone, Copy)]
pub(crate) struct Actors {
    pub(crate) modules: &'static [&'static str],
    /// Names of tasks; those of kernel threads by their beginning.
    pub(crate) tasks: &'static [&'static str],
    /// Events whose cause nothing in it shows: so many, and no more.
    pub(crate) unknown: usize,
}

/// What events say, against the truth.
#[derive(Default)]
pub(crate) struct Verdict {
    pub(crate) right: usize,
    pub(crate) unknown: usize,
    pub(crate) wrong: Vec<String>,
    /// Events that do not say what other evidence shows.
    pub(crate) silent: Vec<String>,
}

/// Events about the mask or about modules.
const JUDGED: [&str; 5] = [
    "taint",
    "mask_write",
    "module_load",
    "module_load_failed",
    "module_unload",
];

impl Verdict {
    /// Judges the events of one scenario.
    pub(crate) fn judge(&mut self, events: &[Value], actors: Actors) {
        let mut unknown = Vec::new();
        for event in events {
            let kind = event["kind"].as_str();
            if !kind.is_some_and(|kind| JUDGED.contains(&kind)) {
                continue;
            }
            let strangers = strangers(event, actors);
            if !strangers.is_empty() {
                self.wrong
                    .push(format!("{strangers:?} had no part: {event}"));
            } else if event["cause"]["class"] == "unknown" {
                unknown.push(event.to_string());
            } else if let Some(missing) = missing(event) {
                self.wrong.push(format!("{missing} is not named: {event}"));
            } else {
                self.right += 1;
            }
        }
        self.unknown += unknown.len();
        if unknown.len() > actors.unknown {
            self.silent.append(&mut unknown);
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

/// What an event must name when it claims such a cause, and does not.
fn missing(event: &Value) -> Option<&'static str> {
    let has_task = event.get("task").is_some();
    // What was counted or found later is of no one task; only what a record shows has a CPU.
    let seen = event["cause"]["confidence"] == "observed" && event["cpu"].is_u64();
    let module = (event["module"]["name"].as_str().is_none()).then_some("the module");
    let caller = (event["caller"].as_str().is_none()).then_some("the code");
    let task = (seen && !has_task).then_some("the task");
    match event["cause"]["class"].as_str() {
        Some("module_load" | "module_unload") => module.or(task),
        Some("module_code") => module.or(caller.filter(|_| seen)),
        Some("direct_write" | "kernel_code") => caller.filter(|_| seen),
        Some("sysctl_write") => task,
        Some(_) => None,
        // A load or an unload is no change of the mask: it has no cause.
        None => module.or((!has_task).then_some("the task")),
    }
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

    const ACTORS: Actors = Actors {
        modules: &["a"],
        tasks: &["insmod", "kworker"],
        unknown: 1,
    };

    fn judged(events: &[Value]) -> (usize, usize, usize, usize) {
        let mut verdict = Verdict::default();
        verdict.judge(events, ACTORS);
        let Verdict {
            right,
            unknown,
            wrong,
            silent,
        } = verdict;
        (right, unknown, wrong.len(), silent.len())
    }

    #[test]
    fn a_name_of_somebody_who_had_no_part_is_wrong() {
        let event = |module: &str, task: &str, caller: &str| {
            serde_json::json!({"kind": "taint", "module": {"name": module}, "task": {"comm": task}, "caller": caller,
                "cpu": 0, "cause": {"class": "module_load", "confidence": "observed"}})
        };
        let events = [
            event("a", "kworker/0:1", "f+0x1 [a]"),
            event("b", "insmod", "f+0x1"),
            event("a", "bash", "f+0x1"),
            event("a", "insmod", "f+0x1 [b]"),
            serde_json::json!({"kind": "taint", "cause": {"class": "unknown"}}),
            serde_json::json!({"kind": "coverage"}),
        ];
        assert_eq!(judged(&events), (1, 1, 3, 0));
    }

    #[test]
    fn a_claim_that_names_nobody_is_wrong() {
        let event = |class: &str, more: Value| {
            let mut event = serde_json::json!({"kind": "taint", "cpu": 0, "cause": {"class": class, "confidence": "observed"}});
            if let (Some(event), Some(more)) = (event.as_object_mut(), more.as_object()) {
                event.extend(more.clone());
            }
            event
        };
        let nothing = || serde_json::json!({});
        for class in [
            "module_load",
            "module_code",
            "module_unload",
            "sysctl_write",
            "kernel_code",
            "direct_write",
        ] {
            assert_eq!(judged(&[event(class, nothing())]), (0, 0, 1, 0), "{class}");
        }
        let named = [
            event(
                "module_load",
                serde_json::json!({"module": {"name": "a"}, "task": {"comm": "insmod"}}),
            ),
            event(
                "module_code",
                serde_json::json!({"module": {"name": "a"}, "caller": "f+0x1 [a]"}),
            ),
            event(
                "sysctl_write",
                serde_json::json!({"task": {"comm": "insmod"}}),
            ),
            event(
                "sysctl_write",
                serde_json::json!({"taint": {"count": 9}, "cpu": null}),
            ),
        ];
        assert_eq!(judged(&named), (4, 0, 0, 0));
    }

    #[test]
    fn more_unknown_than_the_scenario_has_is_no_answer() {
        let unknown = || serde_json::json!({"kind": "taint", "cause": {"class": "unknown"}});
        assert_eq!(judged(&[unknown()]), (0, 1, 0, 0));
        assert_eq!(judged(&[unknown(), unknown()]), (0, 2, 0, 2));
    }
}
