//! What must be there before a watch can begin, told before anything is tried.
//!
//! In: capabilities, files of `/sys` and `/proc`. Out: the first thing that is missing, by name, and
//! what to do about it.

use std::{fs, path::Path};

use nix::unistd::geteuid;

use super::{btf, kallsyms};

/// What is missing.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    #[error(
        "watching the kernel needs root (CAP_BPF, CAP_PERFMON and CAP_SYSLOG): run it as root, for example with sudo"
    )]
    Root,
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
    #[error("this kernel lists no symbols: {}", _0)]
    Symbols(#[from] kallsyms::Error),
}

/// Checks that a watch can begin.
pub fn check() -> Result<(), Missing> {
    if !geteuid().is_root() {
        return Err(Missing::Root);
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
}
