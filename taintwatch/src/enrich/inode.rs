//! Which file an open file is, in the kernel's own numbers.
//!
//! In: an open file, the list of mounts of a process. Out: the number of its inode, and the device of its superblock.
//! `stat` is no way to them: of a btrfs subvolume it gives a device of the subvolume (`btrfs_getattr`,
//! `fs/btrfs/inode.c`), of an overlay the device and the number of the file below (`ovl_getattr`, `fs/overlayfs/inode.c`).

use std::{
    fs::{self, File},
    io,
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
};

/// Which file the kernel opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inode {
    /// `inode.i_ino`.
    pub number: u64,
    /// `super_block.s_dev`, as the kernel numbers devices: 20 bits of minor.
    pub device: u32,
}

impl Inode {
    /// That of an open file, by the mounts of a process that has the file's mount in its list.
    pub(super) fn of(file: &File, mounts: &str) -> io::Result<Self> {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd()))?;
        let unlisted = || io::Error::other("the mount of the file is in no list");
        let mount = field(&info, "mnt_id:").ok_or_else(unlisted)?;
        let device = device_of(mounts, mount).ok_or_else(unlisted)?;
        // `fdinfo` has the number since 5.14 (`seq_show`, `fs/proc/fd.c`).
        let number = field(&info, "ino:").and_then(|number| number.parse().ok());
        Ok(Self {
            number: number.map_or_else(|| file.metadata().map(|is| is.ino()), Ok)?,
            device,
        })
    }
}

/// The value behind a name of `fdinfo`.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name).map(str::trim);
    info.lines().find_map(value)
}

/// The device of a mount's superblock, by the mount's number: `36 35 98:0 / /mnt …` (`show_mountinfo`,
/// `fs/proc_namespace.c`).
fn device_of(mounts: &str, mount: &str) -> Option<u32> {
    let row = mounts.lines().find_map(|line| {
        let mut words = line.split(' ');
        (words.next() == Some(mount)).then_some(words)
    });
    let (major, minor) = row?.nth(1)?.split_once(':')?;
    let (major, minor): (u32, u32) = (major.parse().ok()?, minor.parse().ok()?);
    Some(major << 20 | minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "22 1 0:21 / /proc rw - proc proc rw\n\
        61 1 0:33 /@/lib /lib rw shared:9 - btrfs /dev/vda rw,subvol=/@\n\
        62 61 8:1 / /lib/modules rw - ext4 /dev/sda1 rw\n";

    #[test]
    fn the_device_is_that_of_the_superblock() {
        assert_eq!(device_of(MOUNTS, "61"), Some(33));
        assert_eq!(device_of(MOUNTS, "62"), Some(8 << 20 | 1));
        assert_eq!(device_of(MOUNTS, "6"), None);
        assert_eq!(device_of("7 1 x:y", "7"), None);
        let info = "pos:\t0\nflags:\t012100000\nmnt_id:\t61\nino:\t259\n";
        assert_eq!(field(info, "mnt_id:"), Some("61"));
        assert_eq!(field(info, "ino:"), Some("259"));
    }

    #[test]
    fn a_file_of_this_machine_has_an_inode() {
        let file = File::open("/proc/self/exe").unwrap();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let inode = Inode::of(&file, &mounts).unwrap();
        assert_eq!(inode.number, file.metadata().unwrap().ino());
        assert!(Inode::of(&file, "").is_err());
    }
}
