//! The initial file system of a guest: a cpio archive in the `newc` format, uncompressed, since an
//! emulated processor takes longer to unpack than to read.
//!
//! In: files of this machine and bytes. Out: an archive; the kernel takes several, one behind the other.

use std::{
    collections::BTreeMap,
    fs,
    io::{Cursor, Write},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use anyhow::{Context as _, Result};
use cpio::newc::{Builder, ModeFileType, trailer};

/// Files by their path in the guest, without the leading slash.
#[derive(Default)]
pub(crate) struct Initramfs(BTreeMap<String, Entry>);

enum Entry {
    Folder,
    Link(String),
    File { mode: u32, bytes: Vec<u8> },
}

impl Initramfs {
    /// Adds bytes as a file.
    pub(crate) fn file(&mut self, path: &str, mode: u32, bytes: Vec<u8>) {
        self.folders(path);
        self.0.insert(path.to_owned(), Entry::File { mode, bytes });
    }

    /// Adds a file of this machine.
    pub(crate) fn copy(&mut self, from: &Path, path: &str) -> Result<()> {
        let bytes = fs::read(from).with_context(|| format!("read {}", from.display()))?;
        let mode = fs::metadata(from)?.permissions().mode() & 0o7777;
        self.file(path, mode, bytes);
        Ok(())
    }

    /// Adds a symbolic link.
    pub(crate) fn link(&mut self, path: &str, target: &str) {
        self.folders(path);
        self.0
            .insert(path.to_owned(), Entry::Link(target.to_owned()));
    }

    /// Adds an empty folder.
    pub(crate) fn folder(&mut self, path: &str) {
        self.folders(path);
        self.0.entry(path.to_owned()).or_insert(Entry::Folder);
    }

    /// Adds a whole tree of this machine.
    pub(crate) fn tree(&mut self, from: &Path, path: &str) -> Result<()> {
        for entry in fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let inside = if path.is_empty() {
                name.into_owned()
            } else {
                format!("{path}/{name}")
            };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.folder(&inside);
                self.tree(&entry.path(), &inside)?;
            } else if kind.is_symlink() {
                let target = fs::read_link(entry.path())?;
                self.link(&inside, &target.to_string_lossy());
            } else if kind.is_file() {
                self.copy(&entry.path(), &inside)?;
            }
        }
        Ok(())
    }

    fn folders(&mut self, path: &str) {
        for (at, _) in path.match_indices('/') {
            if let Some(folder) = path.get(..at) {
                self.0.entry(folder.to_owned()).or_insert(Entry::Folder);
            }
        }
    }

    /// Writes the archive. Another may follow it in the same file: every entry and the end are padded to four bytes.
    pub(crate) fn write(&self, out: &mut impl Write) -> Result<()> {
        for (number, (path, entry)) in (1..).zip(&self.0) {
            let builder = Builder::new(path).ino(number).nlink(1);
            let (kind, mode, bytes) = match entry {
                Entry::Folder => (ModeFileType::Directory, 0o40_755, &[][..]),
                Entry::Link(target) => (ModeFileType::Symlink, 0o120_777, target.as_bytes()),
                Entry::File { mode, bytes } => {
                    (ModeFileType::Regular, 0o100_000 | mode, bytes.as_slice())
                }
            };
            let builder = builder.set_mode_file_type(kind).mode(mode);
            let length = u32::try_from(bytes.len())
                .with_context(|| format!("{path} is larger than cpio takes"))?;
            let mut writer = builder.write(&mut *out, length);
            std::io::copy(&mut Cursor::new(bytes), &mut writer)?;
            writer.finish()?;
        }
        trailer(out)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_can_follow_each_other() {
        let mut files = Initramfs::default();
        files.file("etc/job", 0o755, b"true".to_vec());
        let mut out = Vec::new();
        files.write(&mut out).unwrap();
        let one = out.len();
        assert_eq!(one % 4, 0);
        files.write(&mut out).unwrap();
        assert_eq!(out.len(), 2 * one);
        assert!(out[one..].starts_with(b"070701"));
    }
}
