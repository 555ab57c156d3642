//! Why no hook can see a taint.

use super::attempts;
use crate::{
    event::Hook,
    kernel::{btf, kallsyms, mask, prerequisites},
};

/// Why the monitor did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Missing(#[from] prerequisites::Missing),
    #[error(transparent)]
    Btf(#[from] btf::Error),
    #[error(transparent)]
    Kallsyms(#[from] kallsyms::Error),
    #[error(transparent)]
    Mask(#[from] mask::Error),
    #[error("the kernel refuses the eBPF object: {0}")]
    Object(#[from] Box<aya::EbpfError>),
    #[error("the map {name}: {error}")]
    Map {
        name: &'static str,
        error: Box<aya::maps::MapError>,
    },
    #[error("the ring buffer: {0}")]
    Ring(#[from] std::io::Error),
    #[error(transparent)]
    Pin(Box<dyn std::error::Error + Send + Sync>),
    #[error("what an earlier daemon attached cannot be taken over: {0}")]
    Adopt(String),
    #[error("BPF is ruled out by --without")]
    RuledOut,
    /// Each hook, and why it could not be attached.
    #[error("every hook that sees a taint was refused ({})", attempts::reasons(.0))]
    NoHook(Vec<Hook>),
}
