//! A kprobe as an event of `perf_event_open(2)`, for kernels that have no link for it (before 5.15).
//!
//! In: a function, a program. Out: the event, which ends with its last descriptor. Opened here and not by aya, whose
//! kprobes give no descriptor away: a map can hold this one beyond the end of the process.

use std::{
    ffi::CString,
    fs, io,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
};

use perf_event_open_sys::{
    bindings::{PERF_FLAG_FD_CLOEXEC, perf_event_attr},
    ioctls, perf_event_open,
};

/// The number of the kernel's kprobe PMU, and where its configuration says that a probe is for the return.
const PMU: &str = "/sys/bus/event_source/devices/kprobe/type";
const RETURN: &str = "/sys/bus/event_source/devices/kprobe/format/retprobe";

/// Runs `program` at the entry of a function, or at its return.
pub(super) fn open(
    function: &str,
    at_return: bool,
    program: BorrowedFd<'_>,
) -> io::Result<OwnedFd> {
    let name = CString::new(function).map_err(io::Error::other)?;
    let mut attr = perf_event_attr {
        type_: number(&fs::read_to_string(PMU)?)?,
        size: u32::try_from(size_of::<perf_event_attr>()).unwrap_or(0),
        config: if at_return { 1 << return_bit()? } else { 0 },
        ..perf_event_attr::default()
    };
    attr.__bindgen_anon_3.config1 = name.as_ptr().addr() as u64;
    // On one CPU, and it fires on all: the breakpoint in the code is the same for each
    // (`perf_kprobe_init`, `kernel/trace/trace_event_perf.c`).
    // SAFETY: `attr` is a whole, initialised structure of the size that it names, and the name lives until the call returns.
    let fd = unsafe { perf_event_open(&raw mut attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC.into()) };
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

/// `config:0`
fn return_bit() -> io::Result<u32> {
    let text = fs::read_to_string(RETURN)?;
    number(text.trim().strip_prefix("config:").unwrap_or_default())
}

fn number(text: &str) -> io::Result<u32> {
    text.trim().parse().map_err(io::Error::other)
}

fn succeed(result: i32) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
