//! An event of `perf_event_open(2)` that runs an eBPF program.
//!
//! In: what the event is, a CPU, a program. Out: the enabled event, which ends with its last descriptor; or the kernel's
//! errno.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
};

use perf_event_open_sys::{
    bindings::{PERF_FLAG_FD_CLOEXEC, perf_event_attr},
    ioctls, perf_event_open,
};

/// Opens the event on a CPU, for every process. What addresses in `attr` point to must live until the call returns.
pub(super) fn open(
    attr: &mut perf_event_attr,
    cpu: u32,
    program: BorrowedFd<'_>,
) -> io::Result<OwnedFd> {
    attr.size = u32::try_from(size_of::<perf_event_attr>()).map_err(io::Error::other)?;
    let cpu = i32::try_from(cpu).map_err(io::Error::other)?;
    // SAFETY: `attr` is a whole, initialised structure of the size that it names.
    let fd = unsafe { perf_event_open(attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC.into()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call just gave us this descriptor.
    let event = unsafe { OwnedFd::from_raw_fd(fd) };
    let program = u32::try_from(program.as_raw_fd()).map_err(io::Error::other)?;
    // SAFETY: both descriptors are open, and the request takes the program's number.
    succeed(unsafe { ioctls::SET_BPF(event.as_raw_fd(), program) })?;
    // SAFETY: the descriptor is open, and the request takes no argument.
    succeed(unsafe { ioctls::ENABLE(event.as_raw_fd(), 0) })?;
    Ok(event)
}

fn succeed(result: i32) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
