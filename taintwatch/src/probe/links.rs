//! What keeps the programs of hooks on functions attached.
//!
//! In: links, as hooks are attached. Out: the same links, to be held or pinned, and the hooks whose link cannot be pinned.

use std::path::{Path, PathBuf};

use aya::{pin::PinError, programs::links::FdLink};

/// What an attached program leaves.
pub(super) enum Link {
    /// A link of bpf(2).
    Kept(FdLink),
    /// One that the loaded object holds: a kprobe's before 5.15 is an event of perf_event_open(2).
    InObject,
}

/// The links of all hooks.
#[derive(Default)]
pub(super) struct Links {
    kept: Vec<(&'static str, FdLink)>,
    in_object: Vec<&'static str>,
}

impl Links {
    pub(super) fn add(&mut self, hook: &'static str, link: Link) {
        match link {
            Link::Kept(link) => self.kept.push((hook, link)),
            Link::InObject => self.in_object.push(hook),
        }
    }

    /// The hooks that end with this process, whatever is pinned.
    pub(super) fn in_object(&self) -> &[&'static str] {
        &self.in_object
    }

    /// Pins each link in the folder.
    pub(super) fn pin(self, folder: &Path) -> Result<(), PinError> {
        for (hook, link) in self.kept {
            link.pin(pin(folder, hook))?;
        }
        Ok(())
    }
}

/// Where the link of a hook is pinned.
pub(super) fn pin(folder: &Path, hook: &str) -> PathBuf {
    folder.join(format!("link_{hook}"))
}
