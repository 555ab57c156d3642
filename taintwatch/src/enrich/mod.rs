//! What the machine itself still knows of an event's parts; never more than what surely belongs to them.
//!
//! In: an event, and what names its parts for a moment. Out: the same event with more in it.

pub mod candidate;
pub mod device;
pub mod module_file;
pub mod modules;
pub mod task;

use crate::event::{Event, Kind, Time};
use device::Devices;
pub use module_file::Inode;

/// What names things on this machine for a moment, and is not for the record.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints {
    /// Of the task's cgroup.
    pub cgroup_id: Option<u64>,
    /// The file that the module in hand was read from, and when: what was changed later was not loaded.
    pub file: Option<(Inode, Time)>,
}

/// Adds to events what `/proc`, files and devices tell.
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

    /// Looks after what queues up elsewhere.
    pub fn catch_up(&mut self) {
        self.devices.catch_up();
    }

    /// Adds to one event.
    pub fn add_to(&mut self, event: &mut Event, hints: &Hints) {
        if let Some(task) = &mut event.task {
            task::task(task, hints.cgroup_id);
        }
        // Once a load: reading the file takes a moment.
        if matches!(event.kind, Kind::ModuleLoad | Kind::ModuleLoadFailed) {
            self.identify(event, hints);
        }
    }

    /// What the file of a module says, and for which device it was loaded.
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
