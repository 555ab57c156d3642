//! The mechanisms that are taken away, in order, and how.
//!
//! Out: for each, what constrains the recorder, which mechanisms must win, and a part of what it must say.

use std::fs;

use anyhow::Result;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::{BLIND, Fallback, KPROBES, Seen, WHOLE};

#[expect(clippy::unnecessary_wraps, reason = "one of the ways to prepare")]
const fn nothing() -> Result<()> {
    Ok(())
}

const FULL: &[(&str, &str)] = &[
    ("mask_watch", "breakpoint"),
    ("taint_entry", "fentry"),
    ("loader_exit", "fexit"),
];
const POLLED: &[(&str, &str)] = &[("mask", "proc")];

/// Lockdown is last: it cannot be taken back.
#[rustfmt::skip]
pub(super) const FALLBACKS: [Fallback; 16] = [
    fallback(WHOLE, nothing, &[], &[], FULL, "every layer is in place", Seen::Observed),
    fallback("no free breakpoint", nothing, &["constrain", "no-breakpoint"], &[], &[("mask_watch", "-"), ("taint_entry", "fentry"), ("warn_entry", "fentry"), ("warn_exit", "fexit")], "none is free on CPU 0", Seen::Observed),
    fallback(KPROBES, nothing, &[], &["--without", "fentry,fexit"], &[("mask_watch", "breakpoint"), ("taint_entry", "kprobe"), ("loader_exit", "kretprobe")], "fentry: ruled out by --without", Seen::Observed),
    fallback(BLIND, kprobes_off, &[], &["--without", "fentry,fexit"], &[("mask_watch", "breakpoint"), ("taint_entry", "-"), ("loader_exit", "-")], "switched off in /sys/kernel/debug/kprobes/enabled", Seen::Observed),
    fallback("no breakpoint, no fentry", kprobes_on, &[], &["--without", "fentry,fexit,breakpoint"], &[("mask_watch", "-"), ("taint_entry", "kprobe"), ("sysctl_exit", "kretprobe"), ("warn_exit", "kretprobe")], "without mask_watch", Seen::Observed),
    fallback("no tracefs", no_file_systems, &[], &[], FULL, "every layer is in place", Seen::Observed).also(&["no bpffs", "perf_event_paranoid=3"]),
    fallback("kptr_restrict=2", hide_addresses, &[], &[], &[("mask_watch", "-"), ("taint_entry", "fentry"), ("loader_exit", "fexit"), ("warn_exit", "fexit")], "kernel.kptr_restrict is 2", Seen::Observed),
    fallback("without CAP_SYSLOG", show_addresses, &["constrain", "without", "CAP_SYSLOG"], &[], &[("mask_watch", "-"), ("taint_entry", "fentry"), ("loader_exit", "fexit")], "CAP_SYSLOG is missing", Seen::Observed),
    fallback("without CAP_SYS_ADMIN", nothing, &["constrain", "without", "CAP_SYS_ADMIN"], &[], &[("mask_watch", "-"), ("taint_entry", "fentry"), ("warn_exit", "fexit")], "kernel.perf_event_paranoid is 3", Seen::Observed),
    fallback("without CAP_BPF", nothing, &["constrain", "without", "CAP_BPF,CAP_SYS_ADMIN"], &[], POLLED, "this process lacks CAP_BPF", Seen::BitAlone),
    fallback("without CAP_PERFMON", nothing, &["constrain", "without", "CAP_PERFMON,CAP_SYS_ADMIN"], &[], POLLED, "this process lacks CAP_PERFMON", Seen::BitAlone),
    fallback("no bpf(2)", nothing, &["constrain", "no-bpf"], &[], POLLED, "this kernel has no bpf(2) system call", Seen::BitAlone),
    fallback("without raw_tracepoint", nothing, &[], &["--without", "raw_tracepoint"], &[("mask_watch", "breakpoint"), ("module_load", "-"), ("module_free", "-")], "module_load, module_free", Seen::Observed),
    fallback("no BTF", no_btf, &[], &[], POLLED, "this kernel has no BTF", Seen::BitAlone),
    fallback("lockdown=integrity", integrity, &[], &[], FULL, "every layer is in place", Seen::Observed),
    fallback("lockdown=confidentiality", confidentiality, &[], &[], POLLED, "this kernel is locked down (confidentiality)", Seen::BitAlone),
];

const fn fallback(
    name: &'static str,
    prepare: fn() -> Result<()>,
    before: &'static [&'static str],
    arguments: &'static [&'static str],
    expect: &'static [(&'static str, &'static str)],
    says: &'static str,
    seen: Seen,
) -> Fallback {
    Fallback {
        name,
        also: &[],
        prepare,
        before,
        arguments,
        expect,
        says,
        seen,
    }
}

fn switch(path: &str, value: &str) -> Result<()> {
    Ok(fs::write(path, value)?)
}

fn kprobes_off() -> Result<()> {
    switch("/sys/kernel/debug/kprobes/enabled", "0")
}

fn kprobes_on() -> Result<()> {
    switch("/sys/kernel/debug/kprobes/enabled", "1")
}

/// And a stricter setting than most machines have.
fn no_file_systems() -> Result<()> {
    for place in ["/sys/kernel/tracing", "/sys/kernel/debug", "/sys/fs/bpf"] {
        umount2(place, MntFlags::MNT_DETACH)?;
    }
    switch("/proc/sys/kernel/perf_event_paranoid", "3")
}

fn hide_addresses() -> Result<()> {
    switch("/proc/sys/kernel/kptr_restrict", "2")
}

fn show_addresses() -> Result<()> {
    switch("/proc/sys/kernel/kptr_restrict", "0")
}

fn no_btf() -> Result<()> {
    let none: Option<&str> = None;
    Ok(mount(
        Some("tmpfs"),
        "/sys/kernel/btf",
        Some("tmpfs"),
        MsFlags::empty(),
        none,
    )?)
}

fn integrity() -> Result<()> {
    umount2("/sys/kernel/btf", MntFlags::MNT_DETACH)?;
    switch("/sys/kernel/security/lockdown", "integrity")
}

/// An unsigned module cannot be loaded any more under lockdown; the test modules are then of no use.
fn confidentiality() -> Result<()> {
    switch("/sys/kernel/security/lockdown", "confidentiality")
}
