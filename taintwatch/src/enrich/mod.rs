//! What `/proc`, cgroups, files and devices add to an event; only what is certain to be of the same task or file.
//!
//! In: an event, with its hints. Out: the same event with more in it.

pub mod candidate;
pub mod device;
pub mod module_file;
pub mod modules;
pub mod task;

use crate::event::{Event, Kind, Time};
use device::Devices;
pub use module_file::Inode;

/// Numbers that identify parts of an event on this machine for a short time; they are not in the event.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints {
    /// The id of the task's cgroup.
    pub cgroup_id: Option<u64>,
    /// The file that the event's module was read from, and when: what was changed later was not loaded.
    pub file: Option<(Inode, Time)>,
}

/// Adds to events, and listens to the kernel's uevents for the names of devices.
#[derive(Debug)]
pub struct Enricher {
    devices: Devices,
}

impl Enricher {
    /// Listens to devices from now on.
    #[must_use]
    pub fn begin() -> Self {
        Self {
            devices: Devices::listen(),
        }
    }

    /// Takes the uevents that wait in the socket, before it overflows.
    pub fn catch_up(&mut self) {
        self.devices.catch_up();
    }

    /// Adds to one event.
    pub fn add_to(&mut self, event: &mut Event, hints: &Hints) {
        if let Some(task) = &mut event.task {
            task::task(task, hints.cgroup_id);
        }
        // Once a load: reading the file takes time.
        if matches!(event.kind, Kind::ModuleLoad | Kind::ModuleLoadFailed) {
            self.identify(event, hints);
        }
    }

    /// Adds what the file of a module says, and for which device it was loaded.
    fn identify(&mut self, event: &mut Event, hints: &Hints) {
        let Some(module) = &mut event.module else {
            return;
        };
        if module.source.as_deref() == Some("memory") {
            module.candidate = module.name.as_deref().and_then(candidate::of);
        }
        let Some((inode, read_at)) = hints.file else {
            return;
        };
        let aliases = module_file::identify(module, inode, read_at);
        if let (Some(task), None) = (&event.task, &event.requested_by) {
            event.requested_by = self.devices.asked_for(task, &aliases);
        }
    }
}
