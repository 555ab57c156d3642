//! A kprobe as an event of `perf_event_open(2)`, for kernels that have no link for it (before 5.15).
//!
//! In: a function, a program. Out: the event, which ends with its last descriptor. Opened here and not by aya, whose
//! kprobes give no descriptor away: a map can hold this one beyond the end of the process.

use std::{
    ffi::CString,
    fs, io,
    os::fd::{BorrowedFd, OwnedFd},
};

use perf_event_open_sys::bindings::perf_event_attr;

use super::perf_event;

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
        config: if at_return { 1 << return_bit()? } else { 0 },
        ..perf_event_attr::default()
    };
    attr.__bindgen_anon_3.config1 = name.as_ptr().addr() as u64;
    // On one CPU, and it fires on all: the breakpoint in the code is the same for each
    // (`perf_kprobe_init`, `kernel/trace/trace_event_perf.c`).
    perf_event::open(&mut attr, 0, program)
}

/// `config:0`
fn return_bit() -> io::Result<u32> {
    let text = fs::read_to_string(RETURN)?;
    number(text.trim().strip_prefix("config:").unwrap_or_default())
}

fn number(text: &str) -> io::Result<u32> {
    text.trim().parse().map_err(io::Error::other)
}
