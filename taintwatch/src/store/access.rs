//! Who may read the history: root, and the group `taintwatch` where the machine has it.
//!
//! In: paths of the history, of its folder, of its lock. Out: they exist with the owner and the mode that they must
//! have, whatever the umask and whatever an earlier version left. Everybody who can open a file can hold a lock on it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use nix::unistd::{Gid, Uid, chown, fchown};

/// The group that may read.
pub const GROUP: &str = "taintwatch";
const GROUPS: &str = "/etc/group";

/// Gives an open file or folder to root and the group; what cannot be given to the group is root's alone.
fn share(file: &File, shared: u32, private: u32) -> io::Result<()> {
    let group = gid_of(GROUP);
    let has_group = |gid: Gid| fchown(file, own_uid(), Some(gid)).is_ok();
    let mode = if group.is_some_and(has_group) {
        shared
    } else {
        private
    };
    file.set_permissions(fs::Permissions::from_mode(mode))
}

/// The socket, in a folder where no other can replace it.
pub fn socket(path: &Path, group: &str) -> io::Result<()> {
    if let Some(group) = gid_of(group) {
        chown(path, own_uid(), Some(group))?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))
}

/// Root owns what root writes; a user who tries the program out keeps what is theirs.
fn own_uid() -> Option<Uid> {
    let is_root = nix::unistd::geteuid().is_root();
    is_root.then(|| Uid::from_raw(0))
}

/// The group's number. The file is read instead of asking the C library, which would load the machine's own plugins
/// into a static program; packages make the group there.
fn gid_of(group: &str) -> Option<Gid> {
    let groups = fs::read_to_string(GROUPS).ok()?;
    gid_in(&groups, group)
}

fn gid_in(groups: &str, group: &str) -> Option<Gid> {
    let mut lines = groups.lines().map(|line| line.split(':'));
    let mut fields = lines.find(|fields| fields.clone().next() == Some(group))?;
    fields.nth(2)?.parse().ok().map(Gid::from_raw)
}

/// Makes a folder where there is none, closed to all others; `is_own`: also one that is there is set right.
pub fn folder(path: &Path, is_own: bool) -> io::Result<()> {
    let is_new = !path.exists();
    if let Some(above) = path.parent().filter(|_| is_new) {
        fs::create_dir_all(above)?;
    }
    if is_new {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    if is_new || is_own {
        let folder = File::open(path)?;
        said(path, share(&folder, 0o750, 0o700));
    }
    Ok(())
}

/// The history's file, made where there is none. The handle may be closed only after SQLite's: closing it releases
/// every lock that this process has on the file.
pub(super) fn history(path: &Path) -> io::Result<File> {
    // No link is followed: in a folder where others may write it could lead to any file.
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    let file = options
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    said(path, share(&file, 0o640, 0o600));
    for name in super::beside(path) {
        let mut options = OpenOptions::new();
        let options = options.read(true).custom_flags(libc::O_NOFOLLOW);
        if let Ok(file) = options.open(&name) {
            said(&name, share(&file, 0o640, 0o600));
        }
    }
    Ok(file)
}

/// A file system without owners has no rights to give; the history is worth more than they are.
fn said(path: &Path, done: io::Result<()>) {
    if let Err(error) = done {
        log::warn!(
            "who may read {} could not be set ({error}): look who can",
            path.display()
        );
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn the_group_is_found_by_its_whole_name() {
        let groups = "root:x:0:\ntaintwatchers:x:5:a\ntaintwatch:x:977:a,b\n";
        assert_eq!(gid_in(groups, GROUP), Some(Gid::from_raw(977)));
        for none in [
            "",
            "taintwatch",
            "taintwatch:x",
            "taintwatch:x:y:",
            "x:taintwatch:1:",
        ] {
            assert_eq!(gid_in(none, GROUP), None, "{none}");
        }
    }

    #[test]
    fn what_was_open_to_all_is_closed() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("a/b/events.db");
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        let expected = |shared, private| {
            if gid_of(GROUP).is_some() {
                shared
            } else {
                private
            }
        };
        let parent = path.parent().unwrap();
        folder(parent, false).unwrap();
        assert_eq!(mode(parent), expected(0o750, 0o700));
        let names = [path.clone(), super::super::beside(&path)[0].clone()];
        for name in &names {
            fs::write(name, "").unwrap();
            fs::set_permissions(name, fs::Permissions::from_mode(0o666)).unwrap();
        }
        drop(history(&path).unwrap());
        for name in &names {
            assert_eq!(mode(name), expected(0o640, 0o600), "{}", name.display());
        }
        // A folder that is not ours, such as /tmp, stays as it is.
        fs::set_permissions(parent, fs::Permissions::from_mode(0o755)).unwrap();
        folder(parent, false).unwrap();
        assert_eq!(mode(parent), 0o755);
        folder(parent, true).unwrap();
        assert_eq!(mode(parent), expected(0o750, 0o700));
    }

    #[test]
    fn a_link_is_no_history() {
        let base = tempfile::tempdir().unwrap();
        let (path, other) = (base.path().join("events.db"), base.path().join("other"));
        fs::write(&other, "precious").unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        assert!(history(&path).is_err());
        assert_eq!(fs::read(&other).unwrap(), b"precious");
    }
}
