//! The capabilities of this process.
//!
//! In: a `/proc/PID/status`. Out: whether a capability is effective in it.

/// Bits of the capability sets (`include/uapi/linux/capability.h`).
pub const SYS_ADMIN: u32 = 21;
pub const SYSLOG: u32 = 34;
pub const PERFMON: u32 = 38;
pub const BPF: u32 = 39;

/// What the kernel says of this process; empty where `/proc` is not mounted.
#[must_use]
pub fn status() -> String {
    std::fs::read_to_string("/proc/self/status").unwrap_or_default()
}

/// Whether a bit is among the effective capabilities.
#[must_use]
pub fn has(status: &str, bit: u32) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = line.and_then(|line| u64::from_str_radix(line.trim(), 16).ok());
    effective.unwrap_or(0) >> bit & 1 == 1
}
