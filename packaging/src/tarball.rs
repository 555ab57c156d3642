//! Archives: the tarball, and the two inside a .deb.
//!
//! In: files. Out: a tar archive with folders, owners and one time for all, so that two of the same files are the same.

use anyhow::{Context as _, Result};
use tar::{Builder, EntryType, Header};

use crate::{
    VERSION,
    contents::{File, folders, packed},
};

/// The files below a folder of the version's name, for machines without a package manager that fits.
pub(crate) fn make(files: &[File], date: u32) -> Result<Vec<u8>> {
    let top = format!("taintwatch-{VERSION}/");
    packed(&archive(files, &top, date)?)
}

/// An archive whose paths begin with `top`.
pub(crate) fn archive(files: &[File], top: &str, date: u32) -> Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    let paths: Vec<_> = files
        .iter()
        .map(|file| format!("{top}{}", file.path))
        .collect();
    for folder in folders(paths.iter().map(String::as_str)) {
        let header = header(EntryType::Directory, 0o755, 0, date);
        append(&mut archive, header, &format!("{folder}/"), &[])?;
    }
    for (path, file) in paths.iter().zip(files) {
        let header = header(EntryType::Regular, file.mode, file.bytes.len(), date);
        append(&mut archive, header, path, &file.bytes)?;
    }
    Ok(archive.into_inner()?)
}

/// With the path as it is: the library takes `./` away, with which paths in a .deb begin.
fn append(
    archive: &mut Builder<Vec<u8>>,
    mut header: Header,
    path: &str,
    bytes: &[u8],
) -> Result<()> {
    let gnu = header.as_gnu_mut().context("it is no header of GNU")?;
    let place = gnu.name.get_mut(..path.len());
    place
        .with_context(|| format!("{path} is too long for a tar archive"))?
        .copy_from_slice(path.as_bytes());
    header.set_cksum();
    Ok(archive.append(&header, bytes)?)
}

fn header(kind: EntryType, mode: u32, size: usize, date: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size as u64);
    header.set_mtime(date.into());
    header.set_uid(0);
    header.set_gid(0);
    header
}
