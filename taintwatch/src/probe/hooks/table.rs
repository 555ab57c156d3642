//! The hooks, a row each.

use super::{
    super::mechanism::Mechanism,
    spec::{self, Attachment, HookSpec, Layer, When},
    targets::{
        ADD_TAINT, DELETE_MODULE, DELETE_MODULE_IA32, LOAD_DATA, LOAD_MODULE, LOG_FILE, MASK_FILE,
        MODULE_FREE, MODULE_LOAD, MODULE_REQUEST, PROC_TAINT, READ_FILE, TAINTED_MASK, WARN,
    },
};

/// Every hook, in the order in which events and `check` list them.
pub const HOOKS: [HookSpec; 19] = [
    HookSpec {
        name: spec::MASK_WATCH,
        layer: Layer::MaskWatch,
        target: TAINTED_MASK,
        attachments: &[by(Mechanism::Breakpoint, "mask_watch")],
        when: When::Always,
        sees: "every write of the mask, inlined and hostile ones too, and cleared flags",
        without: "a write past add_taint shows only when the mask is read again, without its author",
    },
    HookSpec {
        name: spec::TAINT_ENTRY,
        layer: Layer::TaintEntry,
        target: ADD_TAINT,
        attachments: &[fentry("add_taint"), kprobe("add_taint_kprobe")],
        when: When::Always,
        sees: "each call of add_taint, repeats too, with the stack of its cause",
        without: "new flags are recorded by mask_watch; which flag is set again is not known",
    },
    HookSpec {
        name: spec::SYSCTL_ENTRY,
        layer: Layer::TaintEntry,
        target: PROC_TAINT,
        attachments: &[fentry("proc_taint"), kprobe("proc_taint_kprobe")],
        when: When::Always,
        sees: "what is written to /proc/sys/kernel/tainted",
        without: "where add_taint is inlined into proc_taint (6.16 on), a flag that is written again is not recorded",
    },
    HookSpec {
        name: "sysctl_exit",
        layer: Layer::TaintEntry,
        target: PROC_TAINT,
        attachments: &[fexit("proc_taint_exit"), kretprobe("proc_taint_kretprobe")],
        when: When::Always,
        sees: "that the write is done",
        without: "as without sysctl_entry",
    },
    HookSpec {
        name: "loader_entry",
        layer: Layer::LoaderSlot,
        target: LOAD_MODULE,
        attachments: &[fentry("load_module"), kprobe("load_module_kprobe")],
        when: When::Always,
        sees: "which module a task is loading",
        without: "taints during a load name the loading task and not the module",
    },
    HookSpec {
        name: "loader_exit",
        layer: Layer::LoaderSlot,
        target: LOAD_MODULE,
        attachments: &[
            fexit("load_module_exit"),
            kretprobe("load_module_kretprobe"),
        ],
        when: When::Always,
        sees: "how a load ended, and its errno",
        without: "loads and failed loads are not recorded",
    },
    HookSpec {
        name: "module_file",
        layer: Layer::LoaderSlot,
        target: READ_FILE,
        attachments: &[fentry("module_read"), kprobe("module_read_kprobe")],
        when: When::Always,
        sees: "which file a module is read from",
        without: "no path, hash, licence or signer of a module is known",
    },
    HookSpec {
        name: "module_memory",
        layer: Layer::LoaderSlot,
        target: LOAD_DATA,
        attachments: &[fentry("module_memory"), kprobe("module_memory_kprobe")],
        when: When::Always,
        sees: "that a module comes from memory, without a file",
        without: "a module from memory has no source",
    },
    HookSpec {
        name: "module_request",
        layer: Layer::LoaderSlot,
        target: MODULE_REQUEST,
        attachments: &[raw_tracepoint("module_request")],
        when: When::Always,
        sees: "for which task the kernel itself requests a module",
        without: "such a load names modprobe alone",
    },
    HookSpec {
        name: "unload_entry",
        layer: Layer::LoaderSlot,
        target: DELETE_MODULE,
        attachments: &[fentry("delete_module"), kprobe("delete_module_kprobe")],
        when: When::Always,
        sees: "which module is unloaded",
        without: "a forced unload names its task and not the module",
    },
    HookSpec {
        name: "unload_exit",
        layer: Layer::LoaderSlot,
        target: DELETE_MODULE,
        attachments: &[
            fexit("delete_module_exit"),
            kretprobe("delete_module_kretprobe"),
        ],
        when: When::Always,
        sees: "that the unload is done",
        without: "as without unload_entry",
    },
    HookSpec {
        name: "unload_entry_ia32",
        layer: Layer::LoaderSlot,
        target: DELETE_MODULE_IA32,
        attachments: &[
            fentry("delete_module_ia32"),
            kprobe("delete_module_ia32_kprobe"),
        ],
        when: When::Serves32Bit,
        sees: "the same by a 32-bit program",
        without: "a forced unload by a 32-bit program names its task and not the module",
    },
    HookSpec {
        name: "unload_exit_ia32",
        layer: Layer::LoaderSlot,
        target: DELETE_MODULE_IA32,
        attachments: &[
            fexit("delete_module_ia32_exit"),
            kretprobe("delete_module_ia32_kretprobe"),
        ],
        when: When::Serves32Bit,
        sees: "that the unload is done",
        without: "as without unload_entry_ia32",
    },
    HookSpec {
        name: "module_load",
        layer: Layer::LoaderSlot,
        target: MODULE_LOAD,
        attachments: &[raw_tracepoint("module_load")],
        when: When::Always,
        sees: "that a module is complete: its version, flags and code",
        without: "loaded modules have no version and no flags",
    },
    HookSpec {
        name: spec::MODULE_FREE,
        layer: Layer::LoaderSlot,
        target: MODULE_FREE,
        attachments: &[raw_tracepoint("module_free")],
        when: When::Always,
        sees: "that a module is freed",
        without: "unloads are not recorded",
    },
    HookSpec {
        name: "warn_entry",
        layer: Layer::TaintEntry,
        target: WARN,
        attachments: &[fentry("warn"), kprobe("warn_kprobe")],
        when: When::WithoutMaskWatch,
        sees: "WARN(), where mask_watch is missing and add_taint may be inlined into __warn",
        without: "on such a build W shows when the mask is read again, without its author",
    },
    HookSpec {
        name: "warn_exit",
        layer: Layer::TaintEntry,
        target: WARN,
        attachments: &[fexit("warn_exit"), kretprobe("warn_kretprobe")],
        when: When::WithoutMaskWatch,
        sees: "that the report is done",
        without: "as without warn_entry",
    },
    HookSpec {
        name: spec::MASK,
        layer: Layer::Reconcile,
        target: MASK_FILE,
        attachments: &[read(Mechanism::Proc)],
        when: When::WithoutHooks,
        sees: "new flags, when the mask is read again",
        without: "no change of the mask is seen",
    },
    HookSpec {
        name: spec::LOG,
        layer: Layer::Reconcile,
        target: LOG_FILE,
        attachments: &[read(Mechanism::Kmsg)],
        when: When::WithoutHooks,
        sees: "what the kernel prints about a taint",
        without: "changes of the mask are recorded without a cause",
    },
];

const fn by(mechanism: Mechanism, program: &'static str) -> Attachment {
    Attachment {
        mechanism,
        program: Some(program),
    }
}

const fn read(mechanism: Mechanism) -> Attachment {
    Attachment {
        mechanism,
        program: None,
    }
}

const fn fentry(program: &'static str) -> Attachment {
    by(Mechanism::Fentry, program)
}

const fn fexit(program: &'static str) -> Attachment {
    by(Mechanism::Fexit, program)
}

const fn kprobe(program: &'static str) -> Attachment {
    by(Mechanism::Kprobe, program)
}

const fn kretprobe(program: &'static str) -> Attachment {
    by(Mechanism::Kretprobe, program)
}

const fn raw_tracepoint(program: &'static str) -> Attachment {
    by(Mechanism::RawTracepoint, program)
}
