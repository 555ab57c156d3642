//! The path of a file, by walking from its dentry to the root of its mount namespace.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel_str;
use taintwatch_common::{COMPONENT_LEN, FilePath, PATH_STEPS};

use crate::target::{
    ABSENT, DENTRY_D_NAME, DENTRY_D_PARENT, FILE_F_INODE, FILE_F_PATH, INODE_CTIME_NSEC,
    INODE_CTIME_SEC, INODE_I_INO, INODE_I_SB, MNT_NAMESPACE_NS, MOUNT_MNT, MOUNT_MNT_MOUNTPOINT,
    MOUNT_MNT_NS, MOUNT_MNT_PARENT, NS_COMMON_INUM, PATH_DENTRY, PATH_MNT, QSTR_NAME,
    SUPER_BLOCK_S_DEV, VFSMOUNT_MNT_ROOT, value,
};

/// Fills in the path of `file`, a `struct file`; an empty one for a null pointer.
#[inline(always)]
pub fn fill(file: u64, into: *mut FilePath) {
    let inode: u64 = value(file, FILE_F_INODE.load());
    let super_block: u64 = value(inode, INODE_I_SB.load());
    // SAFETY: the caller's record field is valid for writes; so for each `into` below.
    unsafe { (*into).inode = value(inode, INODE_I_INO.load()) };
    // SAFETY: as above.
    unsafe { (*into).changed_s = value(inode, INODE_CTIME_SEC.load()) };
    // SAFETY: as above.
    unsafe { (*into).changed_ns = nanoseconds(inode) };
    // SAFETY: as above.
    unsafe { (*into).reserved = 0 };
    // SAFETY: as above.
    unsafe { (*into).device = value(super_block, SUPER_BLOCK_S_DEV.load()) };
    // SAFETY: as above.
    unsafe { (*into).namespace = 0 };
    // SAFETY: as above.
    let steps = unsafe { (&raw mut (*into).steps).cast::<[u8; COMPONENT_LEN]>() };
    for index in 0..PATH_STEPS {
        // SAFETY: the index is within the array.
        let step = unsafe { steps.add(index) };
        // SAFETY: as above; one byte makes an empty text.
        unsafe { step.cast::<u8>().write(0) };
    }
    if file == 0 || FILE_F_PATH.load() == ABSENT {
        return;
    }
    let path = file.wrapping_add(FILE_F_PATH.load());
    let dentry: u64 = value(path, PATH_DENTRY.load());
    let mnt: u64 = value(path, PATH_MNT.load());
    walk(dentry, mnt, into);
}

#[inline(always)]
fn walk(mut dentry: u64, mut mnt: u64, into: *mut FilePath) {
    // SAFETY: the caller's record field.
    let steps = unsafe { (&raw mut (*into).steps).cast::<[u8; COMPONENT_LEN]>() };
    for index in 0..PATH_STEPS {
        let parent: u64 = value(dentry, DENTRY_D_PARENT.load());
        let root: u64 = value(mnt, VFSMOUNT_MNT_ROOT.load());
        if dentry == root || dentry == parent {
            let mount = mnt.wrapping_sub(MOUNT_MNT.load());
            let above: u64 = value(mount, MOUNT_MNT_PARENT.load());
            if above == mount {
                // SAFETY: the caller's record field.
                unsafe { (*into).namespace = namespace(mount) };
                return;
            }
            dentry = value(mount, MOUNT_MNT_MOUNTPOINT.load());
            mnt = above.wrapping_add(MOUNT_MNT.load());
        } else {
            let name: u64 = value(dentry.wrapping_add(DENTRY_D_NAME.load()), QSTR_NAME.load());
            // SAFETY: the index is within the array.
            let step = unsafe { steps.add(index) };
            // SAFETY: the helper checks the address, and writes so many bytes at most.
            unsafe {
                bpf_probe_read_kernel_str(step.cast(), COMPONENT_LEN as u32, name as *const _)
            };
            dentry = parent;
        }
    }
}

/// The number of a mount's namespace; 0 for one that is in none, such as the kernel's own for files in memory
/// (`kern_mount`, `fs/namespace.c`: `MNT_NS_INTERNAL` is no address).
#[inline(always)]
fn namespace(mount: u64) -> u32 {
    let namespace: u64 = value(mount, MOUNT_MNT_NS.load());
    if namespace == 0 || MNT_NAMESPACE_NS.load() == ABSENT {
        return 0;
    }
    let common = namespace.wrapping_add(MNT_NAMESPACE_NS.load());
    value(common, NS_COMMON_INUM.load())
}

/// The highest bit is no part of the time: it says that somebody asked for it (`I_CTIME_QUERIED`, `include/linux/fs.h`,
/// 6.13 and later).
#[inline(always)]
fn nanoseconds(inode: u64) -> u32 {
    let nanoseconds: u32 = value(inode, INODE_CTIME_NSEC.load());
    nanoseconds & 0x7fff_ffff
}
