//! The write watchpoint: one hardware breakpoint a CPU, with a BPF program on it.
//!
//! Opened here and not by aya, which asks for `precise_ip = 2`: the kernel then refuses a program
//! that takes stacks (`perf_event_set_bpf_handler`, `kernel/events/core.c`, EPROTO).

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use perf_event_open_sys::bindings::{
    HW_BREAKPOINT_W, PERF_FORMAT_TOTAL_TIME_ENABLED, PERF_TYPE_BREAKPOINT, perf_event_attr,
};

use super::perf_event;

/// Runs `program` on each write to the eight bytes at `address` on `cpu`, until it is dropped.
pub(super) fn open(address: u64, cpu: u32, program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut attr = perf_event_attr {
        type_: PERF_TYPE_BREAKPOINT,
        bp_type: HW_BREAKPOINT_W,
        ..perf_event_attr::default()
    };
    attr.__bindgen_anon_1.sample_period = 1;
    attr.__bindgen_anon_3.bp_addr = address;
    attr.__bindgen_anon_4.bp_len = 8;
    attr.read_format = u64::from(PERF_FORMAT_TOTAL_TIME_ENABLED);
    attr.set_pinned(1);
    attr.set_disabled(1);
    perf_event::open(&mut attr, cpu, program)
}

/// How long a watchpoint has been in place, nanoseconds; it stands still from when its CPU goes offline. `None`: the
/// kernel gave it up.
pub(super) fn enabled_ns(event: BorrowedFd<'_>) -> Option<u64> {
    // The number of hits, and the time.
    let mut read = [0; 16];
    let whole = nix::unistd::read(event, &mut read).ok()? == read.len();
    let (_, time) = read.split_last_chunk().filter(|_| whole)?;
    Some(u64::from_ne_bytes(*time))
}

/// Trips a watchpoint on a variable of this process on `cpu`, once. Takes a second slot meanwhile.
pub(super) fn trip(cpu: u32, program: BorrowedFd<'_>) -> io::Result<()> {
    static WATCHED: AtomicU64 = AtomicU64::new(0);
    let event = open(WATCHED.as_ptr().addr() as u64, cpu, program)?;
    let write = move || -> io::Result<()> {
        let mut only = CpuSet::new();
        only.set(usize::try_from(cpu).map_err(io::Error::other)?)?;
        // The thread alone, which ends here.
        sched_setaffinity(Pid::from_raw(0), &only)?;
        WATCHED.fetch_add(1, Ordering::SeqCst);
        Ok(())
    };
    let done = thread::spawn(write).join();
    drop(event);
    done.unwrap_or_else(|_panic| Err(io::Error::other("the thread that writes ended")))
}
