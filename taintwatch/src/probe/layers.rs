//! What each layer is for, in words.

/// A layer of the watch.
pub struct Layer {
    pub name: &'static str,
    pub sees: &'static str,
    /// What it costs to lack it.
    pub without: &'static str,
}

const fn layer(name: &'static str, sees: &'static str, without: &'static str) -> Layer {
    Layer {
        name,
        sees,
        without,
    }
}

/// Every layer, as the account of a watch names them.
pub const LAYERS: [Layer; 17] = [
    layer(
        "mask_watch",
        "every write of the mask, whoever makes it, flags that are cleared too",
        "code that writes the mask past add_taint is not seen; a change shows when the mask is read again, without its author",
    ),
    layer(
        "taint_entry",
        "each call of add_taint, repeats too, with the stack of its cause",
        "the mask watch tells of flags that are new; which flag is set again is not known",
    ),
    layer(
        "sysctl_entry",
        "what is written to /proc/sys/kernel/tainted",
        "where the compiler put add_taint into proc_taint (6.16 and later), a flag that is written again is not told",
    ),
    layer(
        "sysctl_exit",
        "that the write is done",
        "as without sysctl_entry",
    ),
    layer(
        "loader_entry",
        "which module a task is loading",
        "taints during a load name the loader and not the module",
    ),
    layer(
        "loader_exit",
        "how a load ended, and why it failed",
        "loads and failed loads are not told",
    ),
    layer(
        "module_file",
        "which file a module is read from",
        "no path, hash, licence or signer of a module is known",
    ),
    layer(
        "module_memory",
        "that a module comes from memory, without a file",
        "a module from memory has no source",
    ),
    layer(
        "module_request",
        "on whose behalf the kernel itself asks for a module",
        "such a load names modprobe alone",
    ),
    layer(
        "unload_entry",
        "which module an unload is of",
        "a forced unload names its task and not the module",
    ),
    layer(
        "unload_exit",
        "that the unload is done",
        "as without unload_entry",
    ),
    layer(
        "module_load",
        "that a module is complete: its version, flags and code",
        "loaded modules have no version and no flags",
    ),
    layer("module_free", "that a module goes", "unloads are not told"),
    layer(
        "warn_entry",
        "WARN, where no watch sees the mask and the compiler may have put add_taint into __warn",
        "on such a build W is told when the mask is read again, without its author",
    ),
    layer(
        "warn_exit",
        "that the report is done",
        "as without warn_entry",
    ),
    layer(
        "mask",
        "flags that are new, when the mask is read again",
        "nothing tells that a flag was set",
    ),
    layer(
        "log",
        "what the kernel prints of a taint",
        "changes of the mask are told without a cause",
    ),
];

/// A layer by its name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Layer> {
    LAYERS.iter().find(|layer| layer.name == name)
}
