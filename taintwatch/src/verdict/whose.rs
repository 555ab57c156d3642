//! Whose a taint is: of one command's processes, of another's, or of none that can be named.
//!
//! In: an event; how the processes of the command are known. Out: one of three words. Pure. What runs in an
//! interrupt or in a thread of the kernel is never counted as a command's, whoever asked for it: nothing shows who did.

use serde::{Deserialize, Serialize};

use crate::event::{Context, Event, Task};

/// The parent of every thread of the kernel, and of the helpers that it starts.
const KTHREADD: u32 = 2;
const INIT: u32 = 1;

/// Whose a taint is.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Whose {
    /// A process of the command did it, or the kernel loaded a module for one.
    Command,
    /// An interrupt, a thread of the kernel, or something that only shows in the mask: it may be the command's work.
    Unknown,
    /// A process that is not of the command.
    Other,
}

impl Whose {
    /// The word, as options and JSON have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Unknown => "unknown",
            Self::Other => "other",
        }
    }
}

/// What distinguishes the processes of a command from others.
#[derive(Clone, Debug, Default)]
pub struct Processes {
    /// The name of the command's own cgroup, which no other has.
    pub cgroup: Option<String>,
    /// The process that all of them descend from, orphans too, as the kernel numbers it; none in a pid namespace.
    pub root: Option<u32>,
}

impl Processes {
    /// Whose the taint of an event is.
    #[must_use]
    pub fn whose(&self, event: &Event) -> Whose {
        let in_task = event.context == Some(Context::Task);
        let own = event.task.as_ref().filter(|_| in_task);
        let own = own.map_or(Whose::Unknown, |task| self.of(task));
        let Some(by) = &event.requested_by else {
            return own;
        };
        let asked = by
            .task
            .as_ref()
            .map_or(Whose::Unknown, |task| self.of(task));
        // The loader only does what was asked for: by the kernel, or by udev for a device, whoever made that.
        if own == Whose::Command { own } else { asked }
    }

    fn of(&self, task: &Task) -> Whose {
        let above = || {
            task.ancestors
                .iter()
                .map(|ancestor| ancestor.pid)
                .chain(task.ppid)
        };
        if self.is_in_cgroup(task) || self.root.is_some_and(|root| above().any(|pid| pid == root)) {
            return Whose::Command;
        }
        if task.pid == KTHREADD || above().any(|pid| pid == KTHREADD) {
            return Whose::Unknown;
        }
        let is_elsewhere = self.cgroup.is_some() && task.cgroup.is_some();
        // Up to the first process, without the command's among them.
        let is_whole = task.pid == INIT || above().any(|pid| pid == INIT);
        if is_elsewhere || self.root.is_some() && is_whole {
            Whose::Other
        } else {
            Whose::Unknown
        }
    }

    /// In the cgroup, or in one below it. The name is looked for anywhere in the path: the monitor may see more of the
    /// hierarchy than the command does.
    fn is_in_cgroup(&self, task: &Task) -> bool {
        let (Some(name), Some(path)) = (&self.cgroup, &task.cgroup) else {
            return false;
        };
        path.split('/').any(|part| part == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Ancestor, Kind, RequestedBy, Time};

    const RUN: u32 = 400;

    fn processes() -> Processes {
        Processes {
            cgroup: Some("run-1".to_owned()),
            root: Some(RUN),
        }
    }

    fn task(cgroup: Option<&str>, above: &[u32]) -> Task {
        let ancestor = |pid: &u32| Ancestor {
            pid: *pid,
            comm: "x".to_owned(),
        };
        Task {
            pid: 900,
            tid: 900,
            ppid: above.first().copied(),
            comm: "x".to_owned(),
            cgroup: cgroup.map(str::to_owned),
            ancestors: above.iter().map(ancestor).collect(),
            ..Task::default()
        }
    }

    fn event(context: Context, task: Option<Task>) -> Event {
        let mut event = Event::blank("x".to_owned(), Kind::Taint, Time::unknown());
        event.context = Some(context);
        event.task = task;
        event
    }

    fn whose(processes: &Processes, task: Task) -> Whose {
        processes.whose(&event(Context::Task, Some(task)))
    }

    #[test]
    fn the_cgroup_and_those_below_it_are_the_commands() {
        for (cgroup, expected) in [
            ("/run-1", Whose::Command),
            ("/user.slice/run-1/inner", Whose::Command),
            ("/run-10", Whose::Other),
            ("/", Whose::Other),
        ] {
            let found = whose(&processes(), task(Some(cgroup), &[800, 1]));
            assert_eq!(found, expected, "{cgroup}");
        }
    }

    #[test]
    fn a_process_that_left_the_cgroup_is_still_the_commands() {
        let moved = task(Some("/elsewhere"), &[850, RUN, 1]);
        assert_eq!(whose(&processes(), moved), Whose::Command);
    }

    #[test]
    fn without_a_cgroup_the_whole_line_of_processes_is_needed() {
        let tree = Processes {
            cgroup: None,
            root: Some(RUN),
        };
        assert_eq!(whose(&tree, task(Some("/x"), &[RUN, 1])), Whose::Command);
        assert_eq!(whose(&tree, task(Some("/x"), &[7, 1])), Whose::Other);
        let cut = task(Some("/x"), &[9, 8, 7, 6, 5, 4]);
        assert_eq!(whose(&tree, cut), Whose::Unknown);
        assert_eq!(whose(&tree, task(None, &[])), Whose::Unknown);
        let in_a_namespace = Processes::default();
        assert_eq!(
            whose(&in_a_namespace, task(None, &[RUN, 1])),
            Whose::Unknown
        );
    }

    #[test]
    fn what_the_kernel_does_by_itself_is_unknown() {
        let kworker = task(Some("/"), &[KTHREADD]);
        assert_eq!(whose(&processes(), kworker), Whose::Unknown);
        for context in [Context::Softirq, Context::Hardirq, Context::Nmi] {
            let interrupted = event(context, Some(task(Some("/run-1"), &[RUN])));
            assert_eq!(processes().whose(&interrupted), Whose::Unknown);
        }
        assert_eq!(
            processes().whose(&event(Context::Task, None)),
            Whose::Unknown
        );
    }

    #[test]
    fn a_load_on_request_is_the_requesters() {
        let by = |requester| {
            let helper = task(Some("/"), &[9, KTHREADD]);
            let mut event = event(Context::Task, Some(helper));
            event.requested_by = Some(RequestedBy {
                alias: "fs-x".to_owned(),
                task: requester,
                devices: Vec::new(),
            });
            processes().whose(&event)
        };
        assert_eq!(by(Some(task(None, &[RUN, 1]))), Whose::Command);
        assert_eq!(by(Some(task(Some("/other"), &[7, 1]))), Whose::Other);
        assert_eq!(by(None), Whose::Unknown);
    }
}
