//! Versions of the tools that build the eBPF programs, and the folder in which downloads and tools are kept.
//!
//! Also a part of taintwatch's build script: both must mean the same tools in the same place.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The newest bpf-linker that uses the LLVM of the toolchain (22): no system LLVM is needed.
pub(crate) const BPF_LINKER: &str = "0.10.4";

const TOOLCHAIN_FILE: &str = include_str!("../../rust-toolchain.toml");

/// The version of Rust that `rust-toolchain.toml` names.
pub(crate) fn toolchain() -> Option<&'static str> {
    let channel = |line: &'static str| line.strip_prefix("channel = \"")?.strip_suffix('"');
    TOOLCHAIN_FILE.lines().find_map(channel)
}

/// `$TAINTWATCH_CACHE`, `$XDG_CACHE_HOME/taintwatch` or `~/.cache/taintwatch`.
pub(crate) fn cache() -> Option<PathBuf> {
    let under = |name: &str, rest: &str| env::var_os(name).map(|dir| PathBuf::from(dir).join(rest));
    under("TAINTWATCH_CACHE", "")
        .or_else(|| under("XDG_CACHE_HOME", "taintwatch"))
        .or_else(|| under("HOME", ".cache/taintwatch"))
}

/// Where `bpf-linker` is in that folder.
pub(crate) fn bpf_linker(cache: &Path) -> PathBuf {
    cache.join(format!("tools/bpf-linker-{BPF_LINKER}"))
}
