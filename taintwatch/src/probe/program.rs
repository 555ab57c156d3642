//! Loads one program of the eBPF object and attaches it.
//!
//! In: the object, a program's name, its target. Out: the link that keeps it attached, or in one line why the kernel
//! refused.

use std::{io, os::fd::AsFd as _};

use aya::{
    Ebpf,
    programs::{
        FEntry, FExit, KProbe, ProbeKind, Program, ProgramError, RawTracePoint, links::FdLink,
    },
};
use nix::errno::Errno;

use super::{kprobe_event, links::Link};

pub(super) fn fentry(
    ebpf: &mut Ebpf,
    name: &str,
    target: &str,
    types: &aya::Btf,
) -> Result<Link, String> {
    let program: &mut FEntry = by_name(ebpf, name)?;
    let attached = program.load(target, types).and_then(|()| program.attach());
    let link = attached.and_then(|id| program.take_link(id));
    link.map(|link| Link::Bpf(link.into()))
        .map_err(|error| explain(&error))
}

pub(super) fn fexit(
    ebpf: &mut Ebpf,
    name: &str,
    target: &str,
    types: &aya::Btf,
) -> Result<Link, String> {
    let program: &mut FExit = by_name(ebpf, name)?;
    let attached = program.load(target, types).and_then(|()| program.attach());
    let link = attached.and_then(|id| program.take_link(id));
    link.map(|link| Link::Bpf(link.into()))
        .map_err(|error| explain(&error))
}

/// A kprobe or a kretprobe, as the program's section says.
pub(super) fn kprobe(ebpf: &mut Ebpf, name: &str, target: &str) -> Result<Link, String> {
    kprobes_are_armed()?;
    let program: &mut KProbe = by_name(ebpf, name)?;
    let attached = program.load().and_then(|()| program.attach(target, 0));
    let link = attached.and_then(|id| program.take_link(id));
    let link = link.map_err(|error| explain(&error))?;
    if let Ok(link) = FdLink::try_from(link) {
        return Ok(Link::Bpf(link));
    }
    // The kernel has no link for it (before 5.15), and the attempt to make it one has ended it.
    let at_return = matches!(program.kind(), ProbeKind::Return);
    let fd = program.fd().map_err(|error| explain(&error))?.as_fd();
    let event = kprobe_event::open(target, at_return, fd);
    event.map(Link::Event).map_err(|error| errno(&error))
}

pub(super) fn raw_tracepoint(ebpf: &mut Ebpf, name: &str, target: &str) -> Result<Link, String> {
    let program: &mut RawTracePoint = by_name(ebpf, name)?;
    let attached = program.load().and_then(|()| program.attach(target));
    let link = attached.and_then(|id| program.take_link(id));
    link.map(|link| Link::Bpf(link.into()))
        .map_err(|error| explain(&error))
}

/// Disarmed kprobes can be registered and never fire (`kprobes_all_disarmed`, `kernel/kprobes.c`).
fn kprobes_are_armed() -> Result<(), String> {
    const SWITCH: &str = "/sys/kernel/debug/kprobes/enabled";
    // The switch is in debugfs alone: without it they are taken to be armed.
    let switch = std::fs::read_to_string(SWITCH).unwrap_or_default();
    if switch.trim() == "0" {
        Err(format!("switched off in {SWITCH}"))
    } else {
        Ok(())
    }
}

/// A program of the object by its name and type.
pub(super) fn by_name<'a, P>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut P, String>
where
    &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
{
    ebpf.program_mut(name)
        .ok_or_else(|| format!("the eBPF object has no program {name}"))?
        .try_into()
        .map_err(|error| explain(&error))
}

/// An error with its causes in one line, and the verifier's last words when it refused a program.
pub(super) fn explain(error: &ProgramError) -> String {
    if let ProgramError::LoadError {
        io_error,
        verifier_log,
    } = error
    {
        let verdict = verdict(&verifier_log.to_string());
        return format!("load: {}{verdict}", errno(io_error));
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text.lines().collect::<Vec<_>>().join(" ")
}

/// `EPERM: Operation not permitted`
pub(super) fn errno(error: &io::Error) -> String {
    let errno = error.raw_os_error().map(Errno::from_raw);
    errno.map_or_else(|| error.to_string(), |errno| errno.to_string())
}

/// The verifier's last line before its summary.
fn verdict(log: &str) -> String {
    // The last since 7.x, a line a function.
    const SUMMARY: [&str; 4] = ["processed ", "stack depth", "verification time", "subprog "];
    let is_summary = |line: &&str| SUMMARY.iter().any(|begin| line.starts_with(begin));
    let lines: Vec<_> = log.lines().filter(|line| !is_summary(line)).collect();
    let last = lines.get(lines.len().saturating_sub(40)..);
    log::debug!(
        "the verifier's last lines: {}",
        last.unwrap_or_default().join("\n")
    );
    lines
        .last()
        .map(|line| format!(" (verifier: {line})"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_is_the_verifiers_last_line_before_its_summary() {
        let log = "0: (bf) r6 = r1\nR1 invalid mem access 'scalar'\nverification time 12 usec\n\
            stack depth 0\nprocessed 2 insns\n";
        assert_eq!(verdict(log), " (verifier: R1 invalid mem access 'scalar')");
        assert_eq!(verdict(""), "");
    }
}
