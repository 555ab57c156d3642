//! Ways to see what the kernel does, and which of them a user ruled out.
//!
//! In: `--without`. Out: names as events have them, and the build options that a kernel needs for each.

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
    /// The mask, read again and again.
    #[value(skip)]
    Proc,
    /// The kernel log, read as it is printed.
    #[value(skip)]
    Kmsg,
}

impl Mechanism {
    /// Its name in events and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Breakpoint => "breakpoint",
            Self::Fentry => "fentry",
            Self::Fexit => "fexit",
            Self::Kprobe => "kprobe",
            Self::Kretprobe => "kretprobe",
            Self::RawTracepoint => "raw_tracepoint",
            Self::Bpf => "bpf",
            Self::Proc => "proc",
            Self::Kmsg => "kmsg",
        }
    }

    /// The mechanism that has this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        const ALL: [Mechanism; 9] = [
            Mechanism::Breakpoint,
            Mechanism::Fentry,
            Mechanism::Fexit,
            Mechanism::Kprobe,
            Mechanism::Kretprobe,
            Mechanism::RawTracepoint,
            Mechanism::Bpf,
            Mechanism::Proc,
            Mechanism::Kmsg,
        ];
        ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    /// Build options that the kernel needs for it, beside those that any eBPF program needs.
    #[must_use]
    pub const fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Breakpoint => &["CONFIG_PERF_EVENTS", "CONFIG_HAVE_HW_BREAKPOINT"],
            Self::Fentry | Self::Fexit => &[
                "CONFIG_FUNCTION_TRACER",
                "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS",
            ],
            Self::Kprobe | Self::Kretprobe => &["CONFIG_KPROBES", "CONFIG_KPROBE_EVENTS"],
            Self::RawTracepoint => &["CONFIG_TRACEPOINTS", "CONFIG_BPF_EVENTS"],
            Self::Bpf | Self::Proc | Self::Kmsg => &[],
        }
    }
}

/// Mechanisms that a user ruled out: to leave the debug registers to a debugger, say.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Without {
    /// Mechanisms not to use: `breakpoint`, `fentry`, `fexit`, `kprobe`, `kretprobe`, `raw_tracepoint`, `bpf`
    #[arg(long, value_name = "MECHANISM", value_delimiter = ',')]
    pub without: Vec<Mechanism>,
}

impl Without {
    /// An error when the mechanism is ruled out.
    pub fn allows(&self, mechanism: Mechanism) -> Result<(), String> {
        if self.without.contains(&mechanism) {
            return Err("ruled out by --without".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn the_command_line_and_events_have_the_same_names() {
        for mechanism in Mechanism::value_variants() {
            let value = mechanism.to_possible_value().unwrap();
            assert_eq!(value.get_name(), mechanism.name());
            assert_eq!(Mechanism::by_name(mechanism.name()), Some(*mechanism));
        }
        assert_eq!(Mechanism::by_name("x"), None);
    }
}
