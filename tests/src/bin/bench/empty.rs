//! eBPF programs of two instructions: what a hook and a watchpoint cost at the least.
//!
//! In: a function's name, a variable's address. Out: descriptors that keep the programs attached.

use std::{
    fs, io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use anyhow::{Context as _, Result};
use aya_obj::btf::{Btf, BtfKind};
use perf_event_open_sys::{
    bindings::{HW_BREAKPOINT_W, PERF_TYPE_BREAKPOINT, perf_event_attr},
    ioctls, perf_event_open,
};

/// `r0 = 0; exit`
const CODE: [u64; 2] = [0x0000_0000_0000_00b7, 0x0000_0000_0000_0095];
/// `enum bpf_cmd`, `enum bpf_prog_type` and `enum bpf_attach_type` (`include/uapi/linux/bpf.h`).
const PROG_LOAD: libc::c_long = 5;
const RAW_TRACEPOINT_OPEN: libc::c_long = 17;
const PERF_EVENT: u32 = 7;
const TRACING: u32 = 26;
const TRACE_FENTRY: u32 = 24;

/// What `union bpf_attr` has for a load.
#[repr(C)]
#[derive(Default)]
struct Load {
    kind: u32,
    instructions: u32,
    code: u64,
    license: u64,
    log: [u64; 2],
    version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    attach_type: u32,
    debug_info: [u64; 4],
    debug_lines: u32,
    attach_type_id: u32,
    attach_program: u32,
    reserved: u32,
}

/// What it has for an attachment.
#[repr(C)]
struct Open {
    name: u64,
    program: u32,
    reserved: u32,
}

/// An empty program at the entry of a function.
pub(crate) fn fentry(function: &str) -> Result<[OwnedFd; 2]> {
    let types = Btf::from_sys_fs()?;
    let id = types.id_by_type_name_kind(function, BtfKind::Func)?;
    let program = load(TRACING, TRACE_FENTRY, id)?;
    let open = Open {
        name: 0,
        program: u32::try_from(program.as_raw_fd())?,
        reserved: 0,
    };
    let link = call(RAW_TRACEPOINT_OPEN, &open).context("attach an empty program")?;
    Ok([program, link])
}

/// An empty program at each write of a variable.
pub(crate) fn watchpoint(variable: &str) -> Result<[OwnedFd; 2]> {
    let program = load(PERF_EVENT, 0, 0)?;
    let mut attr = perf_event_attr {
        type_: PERF_TYPE_BREAKPOINT,
        size: u32::try_from(size_of::<perf_event_attr>())?,
        bp_type: HW_BREAKPOINT_W,
        ..perf_event_attr::default()
    };
    attr.__bindgen_anon_1.sample_period = 1;
    attr.__bindgen_anon_3.bp_addr = address(variable)?;
    attr.__bindgen_anon_4.bp_len = 8;
    attr.set_pinned(1);
    // SAFETY: `attr` is a whole, initialised structure of the size that it names.
    let event = owned(unsafe { perf_event_open(&raw mut attr, -1, 0, -1, 0) }.into())?;
    // SAFETY: both descriptors are open, and the request takes the program's number.
    let set = unsafe { ioctls::SET_BPF(event.as_raw_fd(), u32::try_from(program.as_raw_fd())?) };
    if set < 0 {
        return Err(io::Error::last_os_error()).context("set an empty program");
    }
    Ok([program, event])
}

fn load(kind: u32, attach_type: u32, attach_type_id: u32) -> Result<OwnedFd> {
    let load = Load {
        kind,
        instructions: 2,
        code: CODE.as_ptr().addr() as u64,
        license: c"GPL".as_ptr().addr() as u64,
        attach_type,
        attach_type_id,
        ..Load::default()
    };
    call(PROG_LOAD, &load).context("load an empty program")
}

fn call<T>(command: libc::c_long, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: the structure has the size that is passed, and what it points to lives until the call returns.
    owned(unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_ref(attributes),
            size_of::<T>(),
        )
    })
}

fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
    let fd = i32::try_from(result).unwrap_or(-1);
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call just gave us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn address(symbol: &str) -> Result<u64> {
    let end = format!(" {symbol}");
    let text = fs::read_to_string("/proc/kallsyms")?;
    let line = text.lines().find(|line| line.ends_with(&end));
    let line = line.with_context(|| format!("/proc/kallsyms has no {symbol}"))?;
    let address = line.split(' ').next().unwrap_or_default();
    Ok(u64::from_str_radix(address, 16)?)
}
