//! Programs, links and maps in the BPF file system, which outlive the daemon that attached them.
//!
//! In: the folder of the configuration. Out: a folder of this version with all that a later daemon needs to take over, and
//! what an earlier one left. Made under another name and then renamed: a folder that is there is whole.
//!
//! ```text
//! /sys/fs/bpf/taintwatch/        0700, locked by the daemon that uses it
//!     v6/                        the version of the records
//!         map_EVENTS …           maps that userspace uses
//!         program_mask_watch …   programs of watchpoints that are still to be set
//!         link_taint_entry …     what keeps the programs of functions attached
//!         map_ABOUT              who attached them, as JSON
//! ```

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io,
    os::{fd::AsFd as _, unix::fs::DirBuilderExt as _},
    path::{Path, PathBuf},
};

use aya::{
    Ebpf,
    maps::{Array, Map, MapData},
};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use super::pin_error::Error;
use super::{
    hooks::MASK_WATCH,
    links::{self, Links},
    maps::{self, KPROBES, USED},
    mechanism::Without,
};
use crate::event::{Hook, Mask};

/// Where programs are pinned, unless the configuration says otherwise.
pub const DEFAULT_PATH: &str = "/sys/fs/bpf/taintwatch";
/// The programs that later watchpoints run.
pub(super) const PROGRAMS: [&str; 2] = ["mask_watch", "watch_alive"];
/// Room for [`About`] as JSON.
const ABOUT_LEN: usize = 16 << 10;
const ABOUT: &str = "ABOUT";

/// What the programs of a folder are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    /// Which programs, and which version of taintwatch attached them.
    build: String,
    /// `--without`.
    without: Vec<String>,
    /// `CLOCK_BOOTTIME`, nanoseconds: all hooks were attached.
    pub(super) attached_ns: u64,
    /// The mask at that time.
    pub(super) mask: Mask,
    pub(super) hooks: Vec<Hook>,
    /// Those that an event in the map of kprobes keeps attached, and no link.
    events: Vec<String>,
}

impl About {
    pub(super) fn new(
        object: &[u8],
        without: &Without,
        (attached_ns, mask): (u64, Mask),
        hooks: Vec<Hook>,
        links: &Links,
    ) -> Self {
        let ruled_out = without.without.iter();
        Self {
            build: build(object),
            without: ruled_out.map(|it| it.name().to_owned()).collect(),
            attached_ns,
            mask,
            hooks,
            events: links.events(),
        }
    }

    /// Whether this executable would attach the same.
    pub(super) fn is_same(&self, object: &[u8], without: &Without) -> bool {
        let ruled_out = without.without.iter().map(|it| it.name());
        self.build == build(object) && ruled_out.eq(self.without.iter().map(String::as_str))
    }
}

fn build(object: &[u8]) -> String {
    format!(
        "{} {}",
        env!("CARGO_PKG_VERSION"),
        hex::encode(Sha256::digest(object))
    )
}

/// The folder of pins, which no other daemon uses meanwhile.
#[derive(Debug)]
pub struct Pins {
    root: PathBuf,
    /// Of the folder; released with it.
    _lock: File,
}

impl Pins {
    /// Makes the folder where it is missing, and locks it.
    ///
    /// # Errors
    ///
    /// It is in no BPF file system, cannot be made, or another daemon uses it.
    pub fn open(root: &Path) -> Result<Self, Error> {
        let failed = |error| Error::Folder {
            path: root.to_owned(),
            error,
        };
        let parent = root.parent().unwrap_or(root);
        let is_bpffs = statfs(parent).is_ok_and(|it| it.filesystem_type() == BPF_FS_MAGIC);
        if !is_bpffs {
            return Err(Error::NoBpffs(root.to_owned()));
        }
        match DirBuilder::new().mode(0o700).create(root) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(error));
            }
            _ => {}
        }
        let lock = File::open(root).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                root: root.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(Error::InUse(root.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// The folder of this version.
    pub(super) fn folder(&self) -> PathBuf {
        self.root.join(format!("v{}", taintwatch_common::VERSION))
    }

    /// What an earlier daemon pinned, of this version or another.
    pub(super) fn found(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.root).into_iter().flatten();
        let mut found: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        found.sort();
        found
    }

    /// Pins all of it. The watchpoints are held by a map, and need no pin of their own.
    pub(super) fn save(&self, ebpf: &mut Ebpf, links: Links, about: &About) -> Result<(), Error> {
        let folder = self.folder();
        // No dot in a name: bpffs refuses it.
        let new = self.root.join("new");
        remove(&new)?;
        let failed = |error| Error::Folder {
            path: new.clone(),
            error,
        };
        DirBuilder::new().mode(0o700).create(&new).map_err(failed)?;
        for name in USED {
            let map = ebpf.map(name).ok_or_else(|| kernel(name, "no such map"))?;
            map.pin(maps::pin(&new, name))
                .map_err(|error| kernel(name, error))?;
        }
        for name in PROGRAMS {
            let program = ebpf.program_mut(name);
            let program = program.ok_or_else(|| kernel(name, "no such program"))?;
            // Not loaded where no watchpoint can be set.
            if program.fd().is_ok() {
                program
                    .pin(program_pin(&new, name))
                    .map_err(|error| kernel(name, error))?;
            }
        }
        match ebpf.map(KPROBES) {
            Some(Map::PerfEventArray(events)) => links.pin(&new, events.fd().as_fd())?,
            _ => return Err(kernel(KPROBES, "no such map")),
        }
        write_about(&new, about)?;
        fs::rename(&new, folder).map_err(failed)
    }
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    pub folders: usize,
    /// What was in ring buffers, and no daemon had read.
    pub unread_bytes: u64,
}

impl Pins {
    /// Removes all that is pinned, and the folder.
    ///
    /// # Errors
    ///
    /// A pin cannot be removed: the programs of its folder may stay attached.
    pub fn remove_all(self) -> Result<Removed, Error> {
        let mut removed = Removed::default();
        for folder in self.found() {
            let ring = MapData::from_pin(maps::pin(&folder, "EVENTS"));
            removed.unread_bytes += ring.map_or(0, |ring| crate::ring::unread(&ring));
            remove(&folder)?;
            removed.folders += 1;
        }
        fs::remove_dir(&self.root).map_err(|error| Error::Folder {
            path: self.root.clone(),
            error,
        })?;
        Ok(removed)
    }
}

/// Where a program is pinned.
pub(super) fn program_pin(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("program_{name}"))
}

/// Whether the link of each attached hook is there.
pub(super) fn has_links(folder: &Path, about: &About) -> bool {
    let attached = about.hooks.iter().filter(|hook| hook.mechanism.is_some());
    let mut by_link = attached
        .map(|hook| &hook.layer)
        .filter(|layer| *layer != MASK_WATCH && !about.events.contains(layer));
    by_link.all(|layer| links::pin(folder, layer).exists())
}

/// Removes a folder of pins, and with it what they keep.
///
/// # Errors
///
/// A pin cannot be removed. A folder that is not there is none.
pub(super) fn remove(folder: &Path) -> Result<(), Error> {
    let failed = |error| Error::Folder {
        path: folder.to_owned(),
        error,
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        fs::remove_file(path).map_err(failed)?;
    }
    fs::remove_dir(folder).map_err(failed)
}

fn write_about(folder: &Path, about: &About) -> Result<(), Error> {
    let json = serde_json::to_vec(about).map_err(|error| kernel(ABOUT, error))?;
    let mut value = [0; ABOUT_LEN];
    let room = value.get_mut(..json.len());
    room.ok_or_else(|| kernel(ABOUT, "the hooks' reasons are too long"))?
        .copy_from_slice(&json);
    let map = Array::<MapData, [u8; ABOUT_LEN]>::create(1, 0);
    let mut map = map.map_err(|error| kernel(ABOUT, error))?;
    map.set(0, value, 0).map_err(|error| kernel(ABOUT, error))?;
    map.pin(maps::pin(folder, ABOUT))
        .map_err(|error| kernel(ABOUT, error))
}

/// Who pinned a folder.
pub(super) fn about(folder: &Path) -> Result<About, Error> {
    let unreadable = |error: &dyn std::fmt::Display| Error::Unreadable(error.to_string());
    let data = MapData::from_pin(maps::pin(folder, ABOUT)).map_err(|error| unreadable(&error))?;
    let map = Map::from_map_data(data).map_err(|error| unreadable(&error))?;
    let array = Array::<MapData, [u8; ABOUT_LEN]>::try_from(map);
    let value = array
        .and_then(|array| array.get(&0, 0))
        .map_err(|error| unreadable(&error))?;
    let json = value.split(|byte| *byte == 0).next().unwrap_or_default();
    serde_json::from_slice(json).map_err(|error| unreadable(&error))
}

fn kernel(what: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Kernel {
        what: format!("pin {what}"),
        error: error.into(),
    }
}
