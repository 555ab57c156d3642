//! Loads that a task tries again after a failure of its own.
//!
//! In: loads that failed. Out: how often a task has tried to load a module. One command can be two loads: busybox's
//! `insmod` calls `init_module` after any failure of `finit_module`.

use std::collections::VecDeque;

use crate::event::{Module, Task};

/// Failed loads kept: a task that tries again does so at once.
const KEPT: usize = 64;

/// Loads that failed lately.
#[derive(Debug, Default)]
pub(super) struct Attempts(VecDeque<Failed>);

#[derive(Debug, PartialEq, Eq)]
struct Failed {
    tid: u32,
    /// Thread ids are used again.
    start_ns: Option<u64>,
    module: String,
    times: u32,
}

impl Attempts {
    /// How often this task has failed to load this module.
    fn failed(&self, task: &Task, module: &str) -> u32 {
        let is_it = |failed: &&Failed| {
            (failed.tid, failed.start_ns) == (task.tid, task.start_boottime_ns)
                && failed.module == module
        };
        self.0.iter().find(is_it).map_or(0, |failed| failed.times)
    }

    /// Adds the number of the attempt to a module that a task is loading, where it is not the first.
    pub(super) fn number(&self, task: &Task, module: &mut Module) {
        let name = module.name.as_deref().unwrap_or_default();
        let failed = self.failed(task, name);
        module.attempt = (failed > 0).then_some(failed + 1);
    }

    /// A task failed to load a module.
    pub(super) fn add(&mut self, task: &Task, module: &str) {
        let times = self.failed(task, module).saturating_add(1);
        self.0
            .retain(|failed| failed.tid != task.tid || failed.module != module);
        self.0.push_back(Failed {
            tid: task.tid,
            start_ns: task.start_boottime_ns,
            module: module.to_owned(),
            times,
        });
        if self.0.len() > KEPT {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_task_tries_the_same_module_again() {
        let task = |tid, start| Task {
            tid,
            start_boottime_ns: Some(start),
            ..Task::default()
        };
        let mut attempts = Attempts::default();
        let number = |attempts: &Attempts, task: &Task, name: &str| {
            let mut module = Module {
                name: Some(name.to_owned()),
                ..Module::default()
            };
            attempts.number(task, &mut module);
            module.attempt
        };
        assert_eq!(number(&attempts, &task(7, 1), "m"), None);
        attempts.add(&task(7, 1), "m");
        assert_eq!(number(&attempts, &task(7, 1), "m"), Some(2));
        assert_eq!(number(&attempts, &task(7, 2), "m"), None, "another task");
        assert_eq!(number(&attempts, &task(8, 1), "m"), None, "another thread");
        assert_eq!(number(&attempts, &task(7, 1), "n"), None, "another module");
        attempts.add(&task(7, 1), "m");
        assert_eq!(number(&attempts, &task(7, 1), "m"), Some(3));
        attempts.add(&task(7, 2), "m");
        assert_eq!(number(&attempts, &task(7, 2), "m"), Some(2));
    }

    /// A thread id or a module alone is another attempt, and so many are kept.
    #[test]
    fn an_attempt_leaves_the_others_as_they_are() {
        let task = |tid| Task {
            tid,
            ..Task::default()
        };
        let mut attempts = Attempts::default();
        for (tid, module) in [(7, "m"), (8, "m"), (7, "n")] {
            attempts.add(&task(tid), module);
        }
        for (tid, module) in [(7, "m"), (8, "m"), (7, "n")] {
            assert_eq!(attempts.failed(&task(tid), module), 1, "{tid} {module}");
        }
        for tid in 100..161 {
            attempts.add(&task(tid), "x");
        }
        assert_eq!(attempts.failed(&task(7), "m"), 1, "the oldest of {KEPT}");
        attempts.add(&task(161), "x");
        assert_eq!(attempts.failed(&task(7), "m"), 0);
        assert_eq!(attempts.failed(&task(8), "m"), 1);
    }
}
