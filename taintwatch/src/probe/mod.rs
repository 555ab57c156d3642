//! The watch: what the programs must know of this kernel, loading them, and hooking them up.

pub mod breakpoint;
#[cfg(feature = "bpf-log")]
mod developer_log;
pub mod ladder;
pub mod target;
pub mod watch;

/// Why no watch could begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Missing(#[from] crate::kernel::prerequisites::Missing),
    #[error(transparent)]
    Btf(#[from] crate::kernel::btf::Error),
    #[error(transparent)]
    Kallsyms(#[from] crate::kernel::kallsyms::Error),
    #[error("the kernel refuses the eBPF object: {0}")]
    Object(#[from] Box<aya::EbpfError>),
    #[error("the kernel's types cannot be used: {0}")]
    Types(#[from] Box<aya::BtfError>),
    #[error("the map {name}: {error}")]
    Map {
        name: &'static str,
        error: Box<aya::maps::MapError>,
    },
    #[error("this kernel takes no hook that sees a taint:\n{0}")]
    NoHook(String),
}
