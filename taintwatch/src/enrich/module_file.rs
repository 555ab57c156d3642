//! The file that a module was loaded from.
//!
//! In: a path, and which file the kernel opened there. Out: what the file says, when it is still that one and was
//! not changed since. A file that is gone or was replaced adds nothing but that.

use std::{
    fs::{File, Metadata},
    io::Read as _,
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
};

use super::{
    module_content::{Content, MOST},
    namespace::{self, Place},
};
use crate::event::{Module, Task};

/// What is known of the file of a load.
#[derive(Debug)]
pub(super) struct LoadedFile {
    /// What it says; or why that is not known, for people.
    content: Result<Content, String>,
    /// The number of the mount namespace that its path is in, where that is not this machine's own.
    elsewhere: Option<u32>,
}

impl LoadedFile {
    /// Reads the file at a path that a task loaded a module from.
    pub(super) fn read(path: &str, place: Place, task: Option<&Task>) -> Self {
        let found = namespace::find(path, place, task);
        let bytes = found.file.and_then(|handle| read(&handle, place.changed));
        Self {
            content: bytes.map(|bytes| Content::read(&bytes)),
            elsewhere: found.elsewhere,
        }
    }

    /// A file that no path leads to.
    pub(super) fn without_path() -> Self {
        let why = "in no file system that has a path, as a file in memory is (memfd)";
        Self {
            content: Err(why.to_owned()),
            elsewhere: None,
        }
    }

    /// A file that could not be looked at, for this reason; its path is of this namespace.
    pub(super) fn unread(why: &str, namespace: u32) -> Self {
        Self {
            content: Err(format!("not read: {why}")),
            elsewhere: Some(namespace).filter(|number| *number != 0 && !namespace::is_own(*number)),
        }
    }

    /// Adds it to the module that was loaded from the file.
    pub(super) fn add_to(&self, module: &mut Module) {
        module.mount_namespace = self.elsewhere;
        module.file_state = Some(match &self.content {
            Ok(content) => {
                content.add_to(module);
                "as loaded".to_owned()
            }
            Err(why) => why.clone(),
        });
    }

    /// The devices that the module is for, as it says.
    pub(super) fn aliases(&self) -> &[String] {
        let content = self.content.as_ref();
        content.map_or(&[], |content| &content.aliases)
    }
}

/// The file's bytes, or why they are not those that were loaded.
///
/// Each change of a file sets the time of its inode, and no one can choose that time but by the clock. Times that are
/// equal, and not only older, also tell a file from that of the same number in another subvolume of btrfs.
fn read(handle: &File, changed: (u64, u32)) -> Result<Vec<u8>, String> {
    let is = handle.metadata().map_err(|error| error.to_string())?;
    if changed == (0, 0) {
        return Err("whether it was changed since is not known".to_owned());
    }
    if changed_at(&is) != Some(changed) {
        return Err("changed or replaced since".to_owned());
    }
    if !is.is_file() {
        return Err("no file since".to_owned());
    }
    let same = format!("/proc/self/fd/{}", handle.as_raw_fd());
    let file = File::open(same).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let read = file.take(MOST).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn changed_at(is: &Metadata) -> Option<(u64, u32)> {
    let nanoseconds = u32::try_from(is.ctime_nsec()).ok()?;
    // Before 1970 as well: the same bits in both.
    Some((is.ctime().cast_unsigned(), nanoseconds))
}

#[cfg(test)]
mod tests {
    use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt as _};

    use super::*;

    fn handle(path: &std::path::Path) -> File {
        let mut options = OpenOptions::new();
        let options = options.read(true).custom_flags(libc::O_PATH);
        options.open(path).unwrap()
    }

    #[test]
    fn a_file_that_was_changed_is_not_the_modules() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.ko");
        std::fs::write(&path, b"one").unwrap();
        let changed = |path| changed_at(&std::fs::metadata(path).unwrap()).unwrap();
        let loaded = changed(&path);
        assert_eq!(read(&handle(&path), loaded), Ok(b"one".to_vec()));
        // An older time is that of another file: it was changed back, or lies in a snapshot.
        for other in [(loaded.0 + 1, loaded.1), (loaded.0, loaded.1 ^ 1)] {
            let read = read(&handle(&path), other);
            assert_eq!(read, Err("changed or replaced since".to_owned()));
        }
        let unknown = read(&handle(&path), (0, 0));
        assert!(unknown.unwrap_err().contains("not known"));
        // Opening a pipe in the file's place would block.
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
        let read = read(&handle(&pipe), changed(&pipe));
        assert_eq!(read, Err("no file since".to_owned()));
    }
}
