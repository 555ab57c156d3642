//! What `/proc`, cgroups, files and devices add to an event; only what is certain to be of the same task or file.
//!
//! In: an event, with its hints. Out: the same event with more in it: what is found at once, and when that is recorded,
//! what a module's file says, for reading one takes time.

pub mod candidate;
pub mod device;
mod inode;
mod loaded;
mod module_content;
mod module_file;
pub mod modules;
mod namespace;
pub mod task;

use std::{collections::VecDeque, rc::Rc};

use crate::event::{Event, Module, Task};
use device::Devices;
pub use inode::Inode;
use loaded::Loaded;
use module_file::LoadedFile;
pub use namespace::Place;

/// Files kept: a load has an event for each flag and one for its end, and some loads run at once.
const FILES: usize = 16;
/// Events that wait for what their file says.
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

/// Adds to events, and listens to the kernel's uevents for the names of devices.
#[derive(Debug)]
pub struct Enricher {
    devices: Devices,
    /// By the id of the event.
    waiting: VecDeque<(String, ReadFile)>,
    /// The files of the last loads.
    files: VecDeque<(ReadFile, Rc<LoadedFile>)>,
    loaded: Loaded,
}

impl Enricher {
    /// Listens to devices from now on.
    #[must_use]
    pub fn begin() -> Self {
        Self {
            devices: Devices::listen(),
            waiting: VecDeque::new(),
            files: VecDeque::new(),
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
        if let Some(file) = hints.file {
            self.waiting.push_back((event.id.clone(), file));
            if self.waiting.len() > WAITING {
                self.waiting.pop_front();
            }
        }
    }

    /// Adds what the file of a module says, and for which device it was loaded. Whether there was something to add.
    pub fn complete(&mut self, event: &mut Event) -> bool {
        let of_load = self.identify(event);
        self.loaded.see(event) || of_load
    }

    fn identify(&mut self, event: &mut Event) -> bool {
        let place = self.waiting.iter().position(|(id, _)| *id == event.id);
        let read = place.and_then(|place| self.waiting.remove(place));
        let by_code = event.is_by_a_modules_code();
        let Some(module) = &mut event.module else {
            return false;
        };
        match (module.source.as_deref(), read) {
            (Some("memory"), _) if module.candidate.is_none() => {
                module.candidate = module.name.as_deref().and_then(candidate::of);
                module.candidate.is_some()
            }
            (Some("file"), Some((_, read))) => {
                let task = event.task.as_ref();
                let Some(file) = self.file(module, read, task) else {
                    return false;
                };
                file.add_to(module);
                // The device asked for the load, and not for what the module's code does.
                if let (Some(task), None, false) = (task, &event.requested_by, by_code) {
                    event.requested_by = self.devices.asked_for(task, file.aliases());
                }
                true
            }
            _ => false,
        }
    }

    /// The file of a load, read once.
    fn file(
        &mut self,
        module: &Module,
        read: ReadFile,
        task: Option<&Task>,
    ) -> Option<Rc<LoadedFile>> {
        if let Some((_, file)) = self.files.iter().find(|(known, _)| *known == read) {
            return Some(Rc::clone(file));
        }
        let file = match module.path.as_deref() {
            Some(path) => LoadedFile::read(path, read.place, task),
            None if read.place.namespace == 0 => LoadedFile::without_path(),
            // Too long to be recorded whole.
            None => return None,
        };
        let file = Rc::new(file);
        self.files.push_back((read, Rc::clone(&file)));
        if self.files.len() > FILES {
            self.files.pop_front();
        }
        Some(file)
    }
}
