//! Options that the kernel was built with, by a symbol that only each of them brings. Names are listed even where
//! addresses are hidden, and few kernels carry their configuration with them.
//!
//! In: the kernel's symbols. Out: which options are off.

use super::kallsyms::Kallsyms;

/// An option, and a symbol that 5.10 to 7.3 have with it alone.
const SYMBOLS: [(&str, &str); 12] = [
    // kernel/events/core.c
    ("CONFIG_PERF_EVENTS", "perf_event_create_kernel_counter"),
    // kernel/events/hw_breakpoint.c
    ("CONFIG_HAVE_HW_BREAKPOINT", "register_wide_hw_breakpoint"),
    // kernel/ftrace.c
    ("CONFIG_FUNCTION_TRACER", "register_ftrace_function"),
    (
        "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS",
        "register_ftrace_direct",
    ),
    // kernel/kprobes.c
    ("CONFIG_KPROBES", "register_kprobe"),
    // kernel/trace/trace_kprobe.c; with CONFIG_PERF_EVENTS
    ("CONFIG_KPROBE_EVENTS", "create_local_trace_kprobe"),
    // kernel/tracepoint.c
    ("CONFIG_TRACEPOINTS", "tracepoint_probe_register"),
    // kernel/trace/bpf_trace.c
    ("CONFIG_BPF_EVENTS", "bpf_trace_run1"),
    // kernel/module.c, kernel/module/main.c
    ("CONFIG_MODULES", "register_module_notifier"),
    ("CONFIG_MODULE_UNLOAD", "module_refcount"),
    // arch/x86/include/asm/syscall_wrapper.h
    ("CONFIG_IA32_EMULATION", "__ia32_sys_delete_module"),
    // security/security.c
    ("CONFIG_SECURITY", "security_capable"),
];

/// The options of this kernel.
#[derive(Debug)]
pub struct BuildOptions {
    off: Vec<&'static str>,
}

impl BuildOptions {
    /// From every symbol of the kernel; where there are none, nothing is known to be off.
    #[must_use]
    pub fn of(symbols: &Kallsyms) -> Self {
        let is_off = |(_, symbol): &&(_, &str)| !symbols.is_empty() && !symbols.has(symbol);
        let off = SYMBOLS.iter().filter(is_off);
        Self {
            off: off.map(|(option, _)| *option).collect(),
        }
    }

    /// The first of these that is off.
    pub fn first_missing(
        &self,
        mut needed: impl Iterator<Item = &'static str>,
    ) -> Option<&'static str> {
        needed.find(|option| self.off.contains(option))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_off_where_its_symbol_is_absent() {
        let symbols = Kallsyms::parse(&b"0000000000000000 T register_kprobe\n"[..]).unwrap();
        let options = BuildOptions::of(&symbols);
        let first = |needed: [&'static str; 2]| options.first_missing(needed.into_iter());
        assert_eq!(
            first(["CONFIG_KPROBES", "CONFIG_KPROBE_EVENTS"]),
            Some("CONFIG_KPROBE_EVENTS")
        );
        assert_eq!(first(["CONFIG_KPROBES", "CONFIG_X"]), None);
        let unknown = BuildOptions::of(&Kallsyms::default());
        assert_eq!(unknown.first_missing(["CONFIG_KPROBES"].into_iter()), None);
    }
}
