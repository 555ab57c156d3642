//! A cgroup of its own for a command, so that its processes are known whatever becomes of their parents.
//!
//! In: this process's cgroup. Out: a new one below it, with a name that no other has in this boot; or why there is none.
//! It is removed at the end, unless processes are left in it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};
use procfs::process::Process;

use crate::kernel::identity::boottime_ns;

/// Where cgroups v2 are mounted.
const ROOT: &str = "/sys/fs/cgroup";
const MEMBERS: &str = "cgroup.procs";

/// The cgroup of a command.
pub(super) struct Place {
    folder: PathBuf,
    /// That of this process.
    above: PathBuf,
    name: String,
}

impl Place {
    /// Makes one below this process's own.
    pub(super) fn make() -> Result<Self, String> {
        let kind = statfs(ROOT).map_err(|error| format!("{ROOT}: {error}"))?;
        if kind.filesystem_type() != CGROUP2_SUPER_MAGIC {
            return Err(format!("no cgroups v2 are mounted at {ROOT}"));
        }
        let own = own().ok_or("the cgroup of this process is not known")?;
        let above = Path::new(ROOT).join(own.trim_start_matches('/'));
        let name = format!("taintwatch-run-{}-{:x}", std::process::id(), boottime_ns());
        let folder = above.join(&name);
        fs::create_dir(&folder).map_err(|error| format!("make {}: {error}", folder.display()))?;
        let place = Self {
            folder,
            above,
            name,
        };
        // Whether processes may be put there, too.
        place
            .enter()
            .and_then(|()| place.leave())
            .map_err(|error| {
                place.remove();
                format!("enter {}: {error}", place.folder.display())
            })?;
        Ok(place)
    }

    /// Puts this process in it: what it starts from now on begins there.
    pub(super) fn enter(&self) -> io::Result<()> {
        fs::write(self.folder.join(MEMBERS), "0")
    }

    /// Puts this process back where it was.
    pub(super) fn leave(&self) -> io::Result<()> {
        fs::write(self.above.join(MEMBERS), "0")
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// As `/proc/PID/cgroup` shows it.
    pub(super) fn path(&self) -> String {
        let below = self.folder.strip_prefix(ROOT).unwrap_or(&self.folder);
        format!("/{}", below.display())
    }

    /// Whether processes are in it or below it.
    pub(super) fn is_populated(&self) -> bool {
        let events = fs::read_to_string(self.folder.join("cgroup.events"));
        events.is_ok_and(|events| events.lines().any(|line| line == "populated 1"))
    }

    /// Removes it with those that the command made below it. One with processes stays.
    pub(super) fn remove(&self) {
        remove_below(&self.folder);
    }
}

fn remove_below(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_below(&entry.path());
        }
    }
    if let Err(error) = fs::remove_dir(folder) {
        log::debug!("remove {}: {error}", folder.display());
    }
}

/// The path of this process's cgroup v2.
fn own() -> Option<String> {
    let groups = Process::myself().ok()?.cgroups().ok()?.0;
    let unified = groups.into_iter().find(|group| group.hierarchy == 0)?;
    Some(unified.pathname)
}
