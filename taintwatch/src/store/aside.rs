//! A damaged history is kept under another name: what it holds may be saved, and a new one can begin.
//!
//! In: the path of a history that SQLite cannot read. Out: the name that it has now, `events.db.damaged-20260102T030405Z`;
//! or why it stays where it is.

use std::{fs, io, path::Path, path::PathBuf};

use super::{beside, open};

/// A disk that damages each file would be filled with them.
const KEPT: usize = 8;
const NAME: &str = ".damaged-";

/// Renames the history and the files beside it.
pub(super) fn set_aside(path: &Path, now: jiff::Timestamp) -> io::Result<PathBuf> {
    if damaged(path)? >= KEPT {
        let many = format!(
            "{KEPT} damaged ones are kept beside it already: look at them, and remove them"
        );
        return Err(io::Error::other(many));
    }
    let date = now.strftime("%Y%m%dT%H%M%SZ");
    let names = (0_u32..100).map(|number| match number {
        0 => open::beside(path, &format!("{NAME}{date}")),
        number => open::beside(path, &format!("{NAME}{date}.{number}")),
    });
    let free = names
        .into_iter()
        .find(|name| fs::symlink_metadata(name).is_err());
    let name = free.ok_or_else(|| io::Error::other("no name is free to keep it under"))?;
    // The history last: as long as it is there, the next try moves it.
    for (from, to) in beside(path).iter().zip(beside(&name)) {
        match fs::rename(from, to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, &name)?;
    Ok(name)
}

/// How many are there already.
fn damaged(path: &Path) -> io::Result<usize> {
    let begin = open::beside(path, NAME);
    let begin = begin.file_name().unwrap_or_default().as_encoded_bytes();
    let folder = path.parent().filter(|folder| folder.as_os_str() != "");
    let mut found = 0;
    for entry in fs::read_dir(folder.unwrap_or(Path::new(".")))? {
        let name = entry?.file_name();
        let name = name.as_encoded_bytes();
        let is_history = !name.ends_with(b"-wal") && !name.ends_with(b"-shm");
        found += usize::from(is_history && name.starts_with(begin));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_history_is_kept_whole_and_not_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.db");
        let now: jiff::Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        for number in 0..KEPT {
            let text = format!("history {number}");
            fs::write(&path, &text).unwrap();
            fs::write(&beside(&path)[0], "its log").unwrap();
            let name = set_aside(&path, now).unwrap();
            let expected = folder.path().join("events.db.damaged-20260102T030405Z");
            assert_eq!(name == expected, number == 0);
            assert_eq!(fs::read_to_string(&name).unwrap(), text);
            assert_eq!(fs::read_to_string(&beside(&name)[0]).unwrap(), "its log");
            assert!(!path.exists() && !beside(&path)[0].exists());
        }
        fs::write(&path, "one more").unwrap();
        assert!(set_aside(&path, now).is_err());
        assert!(path.exists());
    }
}
