//! What hooks are attached to, and each way in which the supported kernels declare it.

/// What a hook is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Variable(&'static str),
    /// A function with its prototypes, and the build options without which a kernel does not have it.
    Function(
        &'static str,
        &'static [&'static str],
        &'static [&'static str],
    ),
    /// A tracepoint with the prototype of its probes (`include/trace/events/module.h`). All are of `CONFIG_MODULES`.
    Tracepoint(&'static str, &'static [&'static str]),
    File(&'static str),
}

impl Target {
    /// Its name in the kernel.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Variable(name)
            | Self::Function(name, ..)
            | Self::Tracepoint(name, _)
            | Self::File(name) => name,
        }
    }

    /// The build options that bring it; none where each kernel has it.
    #[must_use]
    pub const fn options(self) -> &'static [&'static str] {
        match self {
            Self::Function(_, _, options) => options,
            Self::Tracepoint(..) => &["CONFIG_MODULES"],
            Self::Variable(_) | Self::File(_) => &[],
        }
    }
}

pub(super) const TAINTED_MASK: Target = Target::Variable("tainted_mask");

/// `kernel/panic.c`; `enum lockdep_ok` since 2.6.39.
pub(super) const ADD_TAINT: Target =
    Target::Function("add_taint", &["void (unsigned int, enum lockdep_ok)"], &[]);

/// `kernel/sysctl.c`, from 6.16 on `kernel/panic.c`; the table is const since 6.11.
pub(super) const PROC_TAINT: Target = Target::Function(
    "proc_taint",
    &[
        "int (struct ctl_table *, int, void *, size_t *, loff_t *)",
        "int (const struct ctl_table *, int, void *, size_t *, loff_t *)",
    ],
    &[],
);

/// `kernel/panic.c`
pub(super) const WARN: Target = Target::Function(
    "__warn",
    &["void (const char *, int, void *, unsigned int, struct pt_regs *, struct warn_args *)"],
    &[],
);

/// `kernel/module.c`, from 5.19 on `kernel/module/main.c`
pub(super) const LOAD_MODULE: Target = Target::Function(
    "load_module",
    &["int (struct load_info *, const char *, int)"],
    &["CONFIG_MODULES"],
);

/// `security/security.c`; the third parameter since 5.10.
pub(super) const READ_FILE: Target = Target::Function(
    "security_kernel_read_file",
    &["int (struct file *, enum kernel_read_file_id, bool)"],
    &["CONFIG_SECURITY"],
);

/// `security/security.c`
pub(super) const LOAD_DATA: Target = Target::Function(
    "security_kernel_load_data",
    &["int (enum kernel_load_data_id, bool)"],
    &["CONFIG_SECURITY"],
);

/// The wrapper that system calls get (`arch/x86/include/asm/syscall_wrapper.h`).
pub(super) const DELETE_MODULE: Target = Target::Function(
    "__x64_sys_delete_module",
    &["long int (const struct pt_regs *)"],
    &["CONFIG_MODULES", "CONFIG_MODULE_UNLOAD"],
);

/// The same for 32-bit programs, where the kernel serves them.
pub(super) const DELETE_MODULE_IA32: Target = Target::Function(
    "__ia32_sys_delete_module",
    &["long int (const struct pt_regs *)"],
    &[
        "CONFIG_MODULES",
        "CONFIG_MODULE_UNLOAD",
        "CONFIG_IA32_EMULATION",
    ],
);

pub(super) const MODULE_REQUEST: Target = Target::Tracepoint(
    "module_request",
    &["void (void *, char *, bool, long unsigned int)"],
);

pub(super) const MODULE_LOAD: Target =
    Target::Tracepoint("module_load", &["void (void *, struct module *)"]);

pub(super) const MODULE_FREE: Target =
    Target::Tracepoint("module_free", &["void (void *, struct module *)"]);

pub(super) const MASK_FILE: Target = Target::File(crate::kernel::mask::PATH);

pub(super) const LOG_FILE: Target = Target::File(crate::kernel::kmsg::PATH);
