//! Files by their paths in a mount namespace, which may be another one than that of this process.
//!
//! In: a path as the kernel recorded it, the file's inode, the mount namespace. Out: the open file and whether this
//! process has it under the same path; or why it cannot be had.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
};

use super::inode::Inode;
use crate::event::Task;

/// A file as the kernel recorded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub inode: Inode,
    /// When the inode had last been changed: seconds, and the nanoseconds below one.
    pub changed: (u64, u32),
    /// The number of the mount namespace that the path is in, as `lsns` shows it.
    pub namespace: u32,
}

/// What became of a file.
pub(super) struct Found {
    /// Opened without reading (`O_PATH`); or why not, for people.
    pub(super) file: Result<File, String>,
    /// The number of the namespace, where the path is not one of this machine's own.
    pub(super) elsewhere: Option<u32>,
}

/// Looks for a file: under its path here, then in the namespace that the path is in, while a process of `task` or of
/// those that started it is there.
pub(super) fn find(path: &str, place: Place, task: Option<&Task>) -> Found {
    let here = open("self", path, place.inode);
    if here.is_ok() || number_of("self") == Some(place.namespace) {
        return Found {
            file: here,
            elsewhere: None,
        };
    }
    let above = task.into_iter().flat_map(|task| &task.ancestors);
    let pids = task.map(|task| task.pid).into_iter();
    let pids = pids.chain(above.map(|ancestor| ancestor.pid));
    let mut inside = [1]
        .into_iter()
        .chain(pids)
        .map(|pid| pid.to_string())
        .filter(|pid| number_of(pid) == Some(place.namespace));
    let file = inside.next().map_or_else(
        || Err("in another mount namespace, where no process is left to see it".to_owned()),
        |pid| open(&pid, path, place.inode),
    );
    Found {
        file,
        elsewhere: Some(place.namespace).filter(|namespace| !is_own(*namespace)),
    }
}

/// Whether a path of another namespace leads to the very same file here.
pub(super) fn is_here(path: &str, place: Place) -> bool {
    open("self", path, place.inode).is_ok()
}

/// This process may have a namespace of its own, as services have, and yet the machine's paths.
pub(super) fn is_own(namespace: u32) -> bool {
    ["self", "1"]
        .into_iter()
        .any(|process| number_of(process) == Some(namespace))
}

/// The number of a process's mount namespace.
pub(super) fn number_of(process: &str) -> Option<u32> {
    let link = fs::metadata(format!("/proc/{process}/ns/mnt")).ok()?;
    u32::try_from(link.ino()).ok()
}

/// Opens a path below the root of a process, when the very file is there. Not for reading: a pipe in its place would
/// block, and a device would act.
fn open(process: &str, path: &str, inode: Inode) -> Result<File, String> {
    let handle = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_NOFOLLOW)
        .open(format!("/proc/{process}/root{path}"))
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => "gone since".to_owned(),
            _ => error.to_string(),
        })?;
    let mounts = fs::read_to_string(format!("/proc/{process}/mountinfo"))
        .map_err(|error| format!("its mount is not known: {error}"))?;
    let is = Inode::of(&handle, &mounts).map_err(|error| error.to_string())?;
    if is == inode {
        Ok(handle)
    } else {
        Err("replaced since by another file".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of this machine, as the kernel would record it.
    fn place(path: &str) -> Place {
        let file = File::open(path).unwrap();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        Place {
            inode: Inode::of(&file, &mounts).unwrap(),
            changed: (0, 0),
            namespace: number_of("self").unwrap(),
        }
    }

    fn why(found: Found) -> String {
        found.file.unwrap_err()
    }

    #[test]
    fn a_file_that_was_replaced_is_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.ko");
        fs::write(&path, b"one").unwrap();
        let path = path.to_str().unwrap();
        let one = place(path);
        assert!(find(path, one, None).file.is_ok());
        // Beside it first: the number of the inode would be used again.
        let other = folder.path().join("other.ko");
        fs::write(&other, b"two").unwrap();
        fs::rename(&other, path).unwrap();
        assert_eq!(why(find(path, one, None)), "replaced since by another file");
        fs::remove_file(path).unwrap();
        assert_eq!(why(find(path, one, None)), "gone since");
    }

    #[test]
    fn a_path_of_another_namespace_is_this_machines_only_with_the_same_file() {
        let path = std::env::current_exe().unwrap();
        let path = path.to_str().unwrap();
        let mut there = place(path);
        there.namespace = 1;
        assert!(is_here(path, there), "the same file is here");
        assert!(find(path, there, None).file.is_ok());
        there.inode.number += 1;
        assert!(!is_here(path, there));
        let found = find(path, there, None);
        assert_eq!(found.elsewhere, Some(1));
        assert!(why(found).contains("another mount namespace"));
    }
}
