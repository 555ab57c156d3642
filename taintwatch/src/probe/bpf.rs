//! The calls of bpf(2) that aya has no name for: events of `perf_event_open(2)` as elements of a map.
//!
//! In: the map, a CPU's number, the event. Out: nothing, or the kernel's errno. The kernel keeps an event that is in such
//! a map of the flag `BPF_F_PRESERVE_ELEMS` open, also when the process that opened it is gone
//! (`perf_event_fd_array_release`, `kernel/bpf/arraymap.c`, since 5.10).

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd},
};

/// `enum bpf_cmd` (`include/uapi/linux/bpf.h`).
const MAP_UPDATE_ELEM: libc::c_long = 2;
const MAP_DELETE_ELEM: libc::c_long = 3;

/// What `union bpf_attr` has for calls on one element.
#[repr(C)]
struct Element {
    map_fd: u32,
    reserved: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// Puts the event of a CPU into the map, in the place of an earlier one.
pub(super) fn keep_event(map: BorrowedFd<'_>, cpu: u32, event: BorrowedFd<'_>) -> io::Result<()> {
    let event = u32::try_from(event.as_raw_fd()).map_err(io::Error::other)?;
    call(MAP_UPDATE_ELEM, map, &cpu, (&raw const event).addr() as u64)
}

/// Takes the event of a CPU out of the map. One that is not there is no error.
pub(super) fn remove_event(map: BorrowedFd<'_>, cpu: u32) -> io::Result<()> {
    match call(MAP_DELETE_ELEM, map, &cpu, 0) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        result => result,
    }
}

fn call(command: libc::c_long, map: BorrowedFd<'_>, key: &u32, value: u64) -> io::Result<()> {
    let element = Element {
        map_fd: u32::try_from(map.as_raw_fd()).map_err(io::Error::other)?,
        reserved: 0,
        key: std::ptr::from_ref(key).addr() as u64,
        value,
        flags: 0,
    };
    // SAFETY: the structure has the size that is passed; key and value are four bytes each, as the map's are, and live until
    // the call returns.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            &raw const element,
            size_of::<Element>(),
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
