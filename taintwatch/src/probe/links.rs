//! What keeps the programs of hooks on functions attached.
//!
//! In: links and events, as hooks are attached. Out: the same, to be held or pinned.

use std::{
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use aya::programs::links::FdLink;

use super::{bpf, pin_error::Error};

/// What an attached program leaves.
pub(super) enum Link {
    /// A link of bpf(2).
    Bpf(FdLink),
    /// An event of `perf_event_open(2)`: a kprobe's before 5.15.
    Event(OwnedFd),
}

/// The links of all hooks.
#[derive(Default)]
pub(super) struct Links {
    links: Vec<(&'static str, FdLink)>,
    events: Vec<(&'static str, OwnedFd)>,
}

impl Links {
    pub(super) fn add(&mut self, hook: &'static str, link: Link) {
        match link {
            Link::Bpf(link) => self.links.push((hook, link)),
            Link::Event(event) => self.events.push((hook, event)),
        }
    }

    /// The hooks that are attached by an event.
    pub(super) fn events(&self) -> Vec<String> {
        let hooks = self.events.iter();
        hooks.map(|(hook, _)| (*hook).to_owned()).collect()
    }

    /// Pins each link in the folder, and lets the map hold each event.
    pub(super) fn pin(self, folder: &Path, events: BorrowedFd<'_>) -> Result<(), Error> {
        for (hook, link) in self.links {
            link.pin(pin(folder, hook))
                .map_err(|error| Error::kernel(hook, error))?;
        }
        for ((hook, event), index) in self.events.into_iter().zip(0..) {
            bpf::keep_event(events, index, event.as_fd())
                .map_err(|error| Error::kernel(hook, error))?;
        }
        Ok(())
    }
}

/// Where the link of a hook is pinned.
pub(super) fn pin(folder: &Path, hook: &str) -> PathBuf {
    folder.join(format!("link_{hook}"))
}
