//! What `/proc`, cgroups, files and devices add to an event; only what is certain to be of the same task or file.
//!
//! In: an event, with its hints. Out: the same event with more in it: what is found at once, and later what file systems
//! say, which may take for ever. Nothing here waits for one.

pub mod candidate;
pub mod device;
mod inode;
mod loaded;
mod module_content;
mod module_file;
pub mod modules;
mod namespace;
mod question;
mod reader;
pub mod task;

use std::collections::VecDeque;

use crate::event::{Event, RequestedBy, Task};
use device::Devices;
pub use inode::Inode;
use loaded::Loaded;
use module_file::LoadedFile;
pub use namespace::Place;
use question::{Question, Reply};
use reader::{Answer, Reader};

/// Events that wait for what a file says.
const WAITING: usize = 4096;

/// Numbers that identify parts of an event on this machine for a short time; they are not in the event.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints {
    /// The id of the task's cgroup.
    pub cgroup_id: Option<u64>,
    /// The file that the task executes.
    pub exe: Option<Place>,
    /// The file that the task executes for which the kernel asked for the module.
    pub exe_of_requester: Option<Place>,
    /// The id of that task's cgroup.
    pub cgroup_id_of_requester: Option<u64>,
    /// The file that the event's module was read from.
    pub file: Option<ReadFile>,
}

/// A file that a module was read from, and when, which tells one load from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadFile {
    pub place: Place,
    pub boottime_ns: u64,
}

/// What became of an event that more is added to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Something was added.
    pub added: bool,
    /// Nothing more will be.
    pub is_whole: bool,
}

/// Adds to events, and listens to the kernel's uevents for the names of devices.
#[derive(Debug)]
pub struct Enricher {
    devices: Devices,
    /// By the id of the event.
    waiting: VecDeque<(String, Hints)>,
    files: Reader<Question, Reply>,
    loaded: Loaded,
}

impl Enricher {
    /// Listens to devices from now on.
    #[must_use]
    pub fn begin() -> Self {
        Self {
            devices: Devices::listen(),
            waiting: VecDeque::new(),
            files: Reader::new(question::ask),
            loaded: Loaded::default(),
        }
    }

    /// Takes the uevents that wait in the socket, before it overflows.
    pub fn catch_up(&mut self) {
        self.devices.catch_up();
    }

    /// Adds what is found at once.
    pub fn add_to(&mut self, event: &mut Event, hints: &Hints) {
        if let Some(task) = &mut event.task {
            task::task(task, hints.cgroup_id, hints.exe);
        }
        let by = event.requested_by.as_mut();
        if let Some(task) = by.and_then(|by| by.task.as_mut()) {
            task::mark_exe(task, hints.exe_of_requester);
            task.cgroup = hints.cgroup_id_of_requester.and_then(task::cgroup_by_id);
        }
        let is_elsewhere = |task: &&Task| task.mount_namespace.is_some();
        if hints.file.is_some()
            || tasks(event)
                .into_iter()
                .flatten()
                .any(|it| is_elsewhere(&it))
        {
            self.waiting.push_back((event.id.clone(), *hints));
            if self.waiting.len() > WAITING {
                self.waiting.pop_front();
            }
        }
    }

    /// Adds what files say, and for which device a module was loaded, when all of it is known. To be called until the
    /// event is whole.
    pub fn complete(&mut self, event: &mut Event) -> Step {
        let place = self.waiting.iter().position(|(id, _)| *id == event.id);
        let hints = place.and_then(|place| self.waiting.get(place));
        let hints = hints.map_or_else(Hints::default, |(_, hints)| *hints);
        // All are asked, whatever the first ones answer.
        let open = questions(event, &hints)
            .filter(|question| matches!(self.files.answer(question), Answer::NotYet))
            .count();
        if open > 0 {
            return Step::default();
        }
        if let Some(place) = place {
            self.waiting.remove(place);
        }
        let is_program = self.unmark_programs(event, &hints);
        let of_load = self.identify(event, &hints);
        Step {
            added: self.loaded.see(event) || of_load || is_program,
            is_whole: true,
        }
    }

    /// A program in another namespace that this machine has under the same path, too.
    fn unmark_programs(&mut self, event: &mut Event, hints: &Hints) -> bool {
        let requester = event.requested_by.as_mut().and_then(|by| by.task.as_mut());
        let tasks = [
            (event.task.as_mut(), hints.exe),
            (requester, hints.exe_of_requester),
        ];
        let mut is_one = false;
        for (task, place) in tasks {
            let Some(task) = task else {
                continue;
            };
            let question = program(task, place);
            if question.is_some_and(|question| {
                matches!(
                    self.files.answer(&question),
                    Answer::Is(Reply::Program(true))
                )
            }) {
                task.mount_namespace = None;
                is_one = true;
            }
        }
        is_one
    }

    /// What the module's file says.
    fn identify(&mut self, event: &mut Event, hints: &Hints) -> bool {
        let Some(question) = of_module(event, hints) else {
            return false;
        };
        let by_code = event.is_by_a_modules_code();
        let Some(module) = &mut event.module else {
            return false;
        };
        let unread;
        let file = match (self.files.answer(&question), hints.file) {
            (Answer::Is(Reply::Installed(Some(path))), _) => {
                module.candidate = Some(path.clone());
                return true;
            }
            (Answer::Is(Reply::File(file)), _) => file,
            (Answer::Never(why), Some(read)) => {
                unread = LoadedFile::unread(why, read.place.namespace);
                &unread
            }
            _ => return false,
        };
        file.add_to(module);
        // The device asked for the load, and not for what the module's code does.
        if let (Some(task), None, false) = (&event.task, &event.requested_by, by_code) {
            let asked_for: Option<RequestedBy> = self.devices.asked_for(task, file.aliases());
            event.requested_by = asked_for;
        }
        true
    }
}

/// The tasks of an event whose programs may be elsewhere.
fn tasks(event: &Event) -> [Option<&Task>; 2] {
    let requester = event.requested_by.as_ref().and_then(|by| by.task.as_ref());
    [event.task.as_ref(), requester]
}

/// What file systems have to say of an event.
fn questions(event: &Event, hints: &Hints) -> impl Iterator<Item = Question> {
    let [task, requester] = tasks(event);
    let programs = [
        task.and_then(|task| program(task, hints.exe)),
        requester.and_then(|task| program(task, hints.exe_of_requester)),
    ];
    of_module(event, hints)
        .into_iter()
        .chain(programs.into_iter().flatten())
}

fn program(task: &Task, place: Option<Place>) -> Option<Question> {
    let place = place.filter(|place| task.mount_namespace == Some(place.namespace))?;
    Some(Question::Program(task.exe.clone()?, place))
}

fn of_module(event: &Event, hints: &Hints) -> Option<Question> {
    let module = event.module.as_ref()?;
    match (module.source.as_deref(), hints.file) {
        (Some("memory"), _) if module.candidate.is_none() => {
            module.name.clone().map(Question::Installed)
        }
        (Some("file"), Some(read)) => {
            // A path that is too long to be recorded whole leads nowhere.
            let has_path = module.path.is_some() || read.place.namespace == 0;
            has_path.then(|| Question::File {
                read,
                path: module.path.clone(),
                task: event.task.clone().map(Box::new),
            })
        }
        _ => None,
    }
}
