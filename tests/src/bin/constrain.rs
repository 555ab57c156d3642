//! Runs a program with something taken away, and ends as it ends: what a test needs to see which
//! mechanism takes the place of another, and what is reported to the user.
//!
//! `constrain unprivileged CMD`, without any right; `constrain no-bpf CMD`, on a kernel that answers
//! bpf(2) with ENOSYS; `constrain without CAP_BPF,CAP_SYS_ADMIN CMD`; `constrain no-breakpoint CMD`,
//! while every debug register is in use.

use std::{
    env, io,
    os::{
        fd::{FromRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, anyhow, bail};
use caps::{CapSet, Capability, CapsHashSet};
use perf_event_open_sys::{
    bindings::{HW_BREAKPOINT_W, PERF_TYPE_BREAKPOINT, perf_event_attr},
    perf_event_open,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

const UNPRIVILEGED: u32 = 65534;
/// x86 and arm64 have four breakpoints a CPU (`HBP_NUM`, `arch/x86/include/asm/hw_breakpoint.h`).
const SLOTS: usize = 4;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let status = match words.as_slice() {
        ["unprivileged", command @ ..] => run(command, |command| {
            command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
            Ok(())
        }),
        ["no-bpf", command @ ..] => run(command, without_bpf),
        ["without", capabilities, command @ ..] => run(command, |_| without(capabilities)),
        ["no-breakpoint", command @ ..] => {
            occupy().and_then(|held| run(command, |_| Ok(())).inspect(|_| drop(held)))
        }
        _ => Err(anyhow!(
            "constrain unprivileged|no-bpf|without CAPS|no-breakpoint COMMAND"
        )),
    };
    match status {
        Ok(code) => code.into(),
        Err(error) => {
            println!("constrain: {error:#}");
            ExitCode::from(125)
        }
    }
}

fn run(words: &[&str], constrain: impl FnOnce(&mut Command) -> Result<()>) -> Result<u8> {
    let (program, arguments) = words.split_first().context("no command")?;
    let mut command = Command::new(program);
    command.args(arguments);
    constrain(&mut command)?;
    let status = command.status().with_context(|| format!("run {program}"))?;
    status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .with_context(|| format!("{status}"))
}

/// Inherited over exec, so it is enough that this process takes it.
fn without_bpf(_command: &mut Command) -> Result<()> {
    let filter = SeccompFilter::new(
        [(libc::SYS_bpf, Vec::new())].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOSYS.cast_unsigned()),
        env::consts::ARCH.try_into()?,
    )?;
    let program: BpfProgram = filter.try_into()?;
    Ok(seccompiler::apply_filter(&program)?)
}

/// A capability that left the bounding set cannot come back by an exec as root.
fn without(names: &str) -> Result<()> {
    for name in names.split(',') {
        let capability: Capability = name.parse().map_err(|error| anyhow!("{name}: {error}"))?;
        caps::drop(None, CapSet::Bounding, capability)?;
    }
    let kept: CapsHashSet = caps::read(None, CapSet::Bounding)?;
    caps::set(None, CapSet::Inheritable, &CapsHashSet::new())?;
    caps::set(None, CapSet::Effective, &kept)?;
    Ok(caps::set(None, CapSet::Permitted, &kept)?)
}

/// Takes every breakpoint of every CPU, on a variable of this process.
fn occupy() -> Result<Vec<OwnedFd>> {
    let watched = 0_u64;
    let cpus = std::thread::available_parallelism()?.get();
    let mut held = Vec::new();
    for cpu in 0..cpus {
        for _slot in 0..SLOTS {
            held.push(breakpoint(&raw const watched as u64, i32::try_from(cpu)?)?);
        }
    }
    if held.is_empty() {
        bail!("no CPU");
    }
    Ok(held)
}

fn breakpoint(address: u64, cpu: i32) -> Result<OwnedFd> {
    let mut attr = perf_event_attr {
        type_: PERF_TYPE_BREAKPOINT,
        size: u32::try_from(size_of::<perf_event_attr>())?,
        bp_type: HW_BREAKPOINT_W,
        ..perf_event_attr::default()
    };
    attr.__bindgen_anon_3.bp_addr = address & !7;
    attr.__bindgen_anon_4.bp_len = 8;
    attr.set_pinned(1);
    // SAFETY: `attr` is a whole, initialised structure of the size that it names.
    let fd = unsafe { perf_event_open(&raw mut attr, -1, cpu, -1, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error()).context("open a breakpoint");
    }
    // SAFETY: the call just gave us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
