//! The watch: what the programs must know of this kernel, loading them, and hooking them up.

pub mod breakpoint;
pub mod contract;
pub mod counts;
#[cfg(feature = "bpf-log")]
mod developer_log;
pub mod ladder;
pub mod layers;
pub mod target;
pub mod watch;

/// Mechanisms that a person ruled out: to leave the debug registers to a debugger, say.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Without {
    /// Mechanisms not to use: `breakpoint`, `fentry`, `fexit`, `kprobe`, `kretprobe`, `raw_tracepoint`, `bpf`
    #[arg(long, value_name = "MECHANISM", value_delimiter = ',')]
    pub without: Vec<Mechanism>,
}

/// A way to see what the kernel does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Mechanism {
    Breakpoint,
    Fentry,
    Fexit,
    Kprobe,
    Kretprobe,
    RawTracepoint,
    /// All of the above
    Bpf,
}

impl Without {
    /// An error when the mechanism is ruled out.
    pub fn allows(&self, mechanism: &str) -> Result<(), String> {
        use clap::ValueEnum as _;
        let is_it = |out: &Mechanism| {
            out.to_possible_value()
                .is_some_and(|value| value.get_name() == mechanism)
        };
        if self.without.iter().any(is_it) {
            return Err("ruled out by --without".to_owned());
        }
        Ok(())
    }
}

/// Why no watch could begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Missing(#[from] crate::kernel::prerequisites::Missing),
    #[error(transparent)]
    Btf(#[from] crate::kernel::btf::Error),
    #[error(transparent)]
    Kallsyms(#[from] crate::kernel::kallsyms::Error),
    #[error(transparent)]
    Mask(#[from] crate::kernel::mask::Error),
    #[error("the kernel refuses the eBPF object: {0}")]
    Object(#[from] Box<aya::EbpfError>),
    #[error("the map {name}: {error}")]
    Map {
        name: &'static str,
        error: Box<aya::maps::MapError>,
    },
    #[error("BPF is ruled out by --without")]
    RuledOut,
    /// Each layer, and why it could not be had.
    #[error("this kernel takes no hook that sees a taint:\n{}", watch::account(.0))]
    NoHook(Vec<crate::event::Hook>),
}
