//! Functions of the kernel by the part they play in a taint, on x86-64 and arm64.

/// From `WARN()` to `add_taint`: they report what other code did (`kernel/panic.c`, `lib/bug.c`,
/// `arch/x86/kernel/traps.c`, `arch/arm64/kernel/traps.c`).
pub const REPORTERS: [&str; 11] = [
    "__warn",
    "warn_slowpath_fmt",
    "warn_slowpath_null",
    "__warn_printk",
    "report_bug",
    "report_bug_entry",
    "__report_bug",
    "handle_bug",
    "exc_invalid_op",
    "asm_exc_invalid_op",
    "__WARN_trap",
];

/// From the faulting instruction to `add_taint` in an oops: they report what other code did (`arch/x86/mm/fault.c`,
/// `arch/x86/kernel/traps.c`, `dumpstack.c`).
pub const OOPS_REPORTERS: [&str; 26] = [
    "oops_end",
    "die",
    "__die",
    "die_addr",
    "no_context",
    "page_fault_oops",
    "__bad_area_nosemaphore",
    "bad_area_nosemaphore",
    "kernelmode_fixup_or_oops",
    "do_kern_addr_fault",
    "do_user_addr_fault",
    "handle_page_fault",
    "exc_page_fault",
    "asm_exc_page_fault",
    "exc_general_protection",
    "asm_exc_general_protection",
    "do_trap",
    "do_error_trap",
    "do_trap_no_signal",
    "exc_invalid_op",
    "asm_exc_invalid_op",
    "exc_divide_error",
    "asm_exc_divide_error",
    "exc_double_fault",
    "asm_exc_double_fault",
    "add_taint",
];

/// Taint for the module that is being loaded (`kernel/module.c`, `kernel/module/*.c`). Compilers inline
/// most of them into `load_module`.
pub const LOADER: [&str; 16] = [
    "load_module",
    "module_augment_kernel_taints",
    "module_license_taint_check",
    "check_module_license_and_versions",
    "check_modinfo",
    "check_modstruct_version",
    "check_version",
    "check_export_symbol_sections",
    "early_mod_check",
    "layout_and_allocate",
    "mod_sysfs_setup",
    "resolve_symbol",
    "set_license",
    "simplify_symbols",
    "try_to_force_load",
    "param_check_unsafe",
];

/// Forced unloads: `try_force_unload` is inlined into the system call.
pub const UNLOADER: [&str; 4] = [
    "try_force_unload",
    "__do_sys_delete_module",
    "__se_sys_delete_module",
    "__x64_sys_delete_module",
];

/// Where compilers put copies of `add_taint`: `proc_taint` from 6.16 on, `__warn` in some 5.3 and 5.4 builds.
pub const INLINERS: [&str; 3] = ["add_taint", "proc_taint", "__warn"];

/// A task came into the kernel by a system call (`arch/x86/entry/entry_64.S`, `arch/arm64/kernel/entry.S`).
pub const SYSCALL_ENTRIES: [&str; 3] = [
    "do_syscall_64",
    "entry_SYSCALL_64_after_hwframe",
    "el0t_64_sync",
];

/// An interrupt was served, beginnings of names.
pub const INTERRUPTS: [&str; 8] = [
    "asm_sysvec_",
    "asm_common_interrupt",
    "asm_exc_nmi",
    "asm_exc_debug",
    "handle_softirqs",
    "__do_softirq",
    "__irq_exit_rcu",
    "el1h_64_irq",
];

/// The name without what the compiler appends to the parts that it splits off a function.
#[must_use]
pub fn base_name(function: &str) -> &str {
    let suffixes = [".cold", ".constprop", ".isra", ".part"];
    let end = suffixes
        .iter()
        .filter_map(|suffix| function.find(suffix))
        .min();
    function
        .get(..end.unwrap_or(function.len()))
        .unwrap_or(function)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_off_what_the_compiler_appends() {
        assert_eq!(base_name("__warn.cold"), "__warn");
        assert_eq!(base_name("check.isra.0.cold"), "check");
        assert_eq!(base_name("plain"), "plain");
    }
}
