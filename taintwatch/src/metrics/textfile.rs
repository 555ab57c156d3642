//! A file that a reader finds whole at any time.
//!
//! In: text, and that it changed. Out: the file, replaced at once, soon after a change and each minute.

use std::{
    fs::{self, File, Permissions},
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};

/// As often as without a change: its age shows whether the writer lives.
const PACE: Duration = Duration::from_mins(1);
/// Changes in this time are written together.
const TOGETHER: Duration = Duration::from_millis(500);

/// Writes a file beside it, which no collector takes for one of its own, and puts it in its place.
pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.new"));
    let write = || {
        // Whatever lies there, and links to: it is made anew.
        _ = fs::remove_file(&beside);
        let mut file = File::create_new(&beside)?;
        file.write_all(text.as_bytes())?;
        // The collector runs as another user.
        file.set_permissions(Permissions::from_mode(0o644))?;
        fs::rename(&beside, path)
    };
    write().with_context(|| {
        format!(
            "write the metrics to {}: its folder must be there, and under systemd be in `ReadWritePaths=`",
            path.display()
        )
    })
}

/// Writes until the sender is gone, and once more then. An error is said when it begins.
pub(super) fn follow(changes: &Receiver<()>, write: impl Fn() -> Result<(), String>) {
    let mut trouble = false;
    loop {
        let change = changes.recv_timeout(PACE);
        if change.is_ok() {
            thread::sleep(TOGETHER);
            while changes.try_recv().is_ok() {}
        }
        let written = write();
        if let (Err(error), false) = (&written, trouble) {
            log::warn!("{error}");
        }
        trouble = written.is_err();
        if change == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc::sync_channel};

    use super::*;

    #[test]
    fn the_file_is_replaced_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taintwatch.prom");
        let victim = folder.path().join("victim");
        fs::write(&victim, "x").unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join(".taintwatch.prom.new")).unwrap();
        for text in ["one\n", "two\n"] {
            write(&path, text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "x");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        let error = write(&folder.path().join("no/x.prom"), "").unwrap_err();
        assert!(error.to_string().contains("ReadWritePaths"), "{error}");
    }

    #[test]
    fn many_changes_are_one_write_and_the_end_is_written() {
        let (change, changes) = sync_channel(1);
        let writes = Mutex::new(0);
        thread::scope(|scope| {
            let writes = &writes;
            scope.spawn(move || {
                follow(&changes, || {
                    *writes.lock().unwrap() += 1;
                    Err("no room".to_owned())
                });
            });
            for _ in 0..1000 {
                _ = change.try_send(());
            }
            thread::sleep(TOGETHER * 2);
            drop(change);
        });
        let writes = writes.into_inner().unwrap();
        assert!((2..=3).contains(&writes), "{writes} writes");
    }
}
