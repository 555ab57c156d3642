//! Folders: of a support tool, unpacked, or a pstore.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::{Visitor, one, pstore};

/// No support tool nests deeper.
const DEEPEST: usize = 16;

/// Visits the files below a folder: those of the folder itself by name, then those of the folders in it.
pub(super) fn visit(root: &Path, visitor: &mut dyn Visitor) -> io::Result<()> {
    let mut parts = Vec::new();
    let mut open = vec![(root.to_owned(), 0)];
    while let Some((path, depth)) = open.pop() {
        let mut folders = Vec::new();
        // What cannot be read is reported, and the rest is read all the same.
        match children(&path) {
            Ok(children) => {
                for child in children {
                    entry(root, &child, depth, &mut folders, &mut parts, visitor)?;
                }
            }
            Err(error) => visitor.refused(&name(root, &path), &error.to_string()),
        }
        open.extend(folders.into_iter().rev());
    }
    pstore::dumps(parts, visitor)
}

fn children(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut children: Vec<_> = fs::read_dir(path)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    children.sort_unstable();
    Ok(children)
}

fn entry(
    root: &Path,
    path: &Path,
    depth: usize,
    folders: &mut Vec<(PathBuf, usize)>,
    parts: &mut Vec<pstore::Part>,
    visitor: &mut dyn Visitor,
) -> io::Result<()> {
    // Of a link itself, not of what it points to: a link is neither, and is left.
    let Ok(meta) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if meta.is_dir() && depth < DEEPEST {
        folders.push((path.to_owned(), depth + 1));
        return Ok(());
    }
    let name = name(root, path);
    let is_part = pstore::is_part(&name);
    if !meta.is_file() || !is_part && super::kind(&name).is_none() {
        visitor.left_out(&name);
        return Ok(());
    }
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path);
    match file {
        Err(error) => visitor.refused(&name, &error.to_string()),
        Ok(file) if is_part => {
            let mut bytes = Vec::new();
            file.take(pstore::LONGEST).read_to_end(&mut bytes)?;
            if parts.len() < pstore::MOST {
                parts.push(pstore::Part { name, bytes });
            } else {
                visitor.left_out(&name);
            }
        }
        Ok(file) => {
            let file = visitor.opened(Box::new(file), Some(meta.len()));
            if let Err(error) = one(&name, file, visitor) {
                visitor.refused(&name, &error.to_string());
            }
        }
    }
    Ok(())
}

/// The path below the folder.
fn name(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .display()
        .to_string()
}
