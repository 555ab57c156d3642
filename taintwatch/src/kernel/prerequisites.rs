//! What must be there before hooks can be tried, told before anything is tried.
//!
//! In: capabilities, files of `/sys` and `/proc`. Out: the first thing that is missing, by name, and
//! what to do about it.

use std::{fs, path::Path};

use super::btf;

/// What is missing.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    #[error(
        "watching the kernel needs root, or the capabilities CAP_BPF and CAP_PERFMON; this process lacks {0}: \
         run it as root, for example with sudo"
    )]
    Capability(String),
    #[error(
        "this kernel has no {} (CONFIG_DEBUG_INFO_BTF): its hooks cannot be found safely; use a kernel built with BTF",
        btf::PATH
    )]
    Btf,
    #[error(
        "this kernel is locked down (confidentiality): it lets no BPF program read kernel memory; boot with lockdown=integrity or none"
    )]
    Lockdown,
    #[error(
        "this kernel has no bpf(2) system call (CONFIG_BPF_SYSCALL): use a kernel built with BPF"
    )]
    Bpf,
}

/// Bits of the capability sets (`include/uapi/linux/capability.h`); `CAP_SYS_ADMIN` stands for both others.
const CAP_SYS_ADMIN: u32 = 21;
const NEEDED: [(u32, &str); 2] = [(38, "CAP_PERFMON"), (39, "CAP_BPF")];

/// Checks that hooks can be tried.
pub fn check() -> Result<(), Missing> {
    let lacking = lacking(&fs::read_to_string("/proc/self/status").unwrap_or_default());
    if !lacking.is_empty() {
        return Err(Missing::Capability(lacking.join(" and ")));
    }
    if !has_bpf() {
        return Err(Missing::Bpf);
    }
    if locked_down(&fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default()) {
        return Err(Missing::Lockdown);
    }
    if !Path::new(btf::PATH).exists() {
        return Err(Missing::Btf);
    }
    Ok(())
}

/// The capabilities that are not among the effective ones of a `/proc/PID/status`.
fn lacking(status: &str) -> Vec<&'static str> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = line
        .and_then(|line| u64::from_str_radix(line.trim(), 16).ok())
        .unwrap_or(0);
    let has = |bit: u32| effective >> bit & 1 == 1;
    let missing = NEEDED
        .iter()
        .filter(|(bit, _)| !has(*bit) && !has(CAP_SYS_ADMIN));
    missing.map(|(_, name)| *name).collect()
}

/// `none integrity [confidentiality]`: the level in force stands in brackets.
fn locked_down(lockdown: &str) -> bool {
    lockdown.contains("[confidentiality]")
}

/// Whether `bpf(2)` exists, asked with a command that does not: EINVAL where it does, ENOSYS where not.
fn has_bpf() -> bool {
    // SAFETY: the kernel rejects an unknown command before it reads the attributes.
    let result = unsafe { libc::syscall(libc::SYS_bpf, i32::MAX, std::ptr::null::<u8>(), 0) };
    result >= 0 || nix::errno::Errno::last() != nix::errno::Errno::ENOSYS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_lockdown_level_in_force() {
        assert!(locked_down("none integrity [confidentiality]\n"));
        assert!(!locked_down("none [integrity] confidentiality\n"));
        assert!(!locked_down("[none] integrity confidentiality\n"));
        assert!(!locked_down(""));
    }

    #[test]
    fn names_the_capabilities_that_are_lacking() {
        let status = |bits: u64| format!("Name:\tx\nCapEff:\t{bits:016x}\nCapBnd:\t0\n");
        assert_eq!(lacking(&status(0)), ["CAP_PERFMON", "CAP_BPF"]);
        assert_eq!(lacking(&status(1 << 38)), ["CAP_BPF"]);
        assert!(lacking(&status(1 << 38 | 1 << 39)).is_empty());
        assert!(
            lacking(&status(1 << 21)).is_empty(),
            "CAP_SYS_ADMIN has both"
        );
        assert_eq!(lacking("").len(), 2);
    }
}
