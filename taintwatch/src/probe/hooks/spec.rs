//! What the table of hooks says of each.

use super::{super::mechanism::Mechanism, targets::Target};

/// The names of hooks that other code asks for.
pub const MASK_WATCH: &str = "mask_watch";
pub const TAINT_ENTRY: &str = "taint_entry";
pub const SYSCTL_ENTRY: &str = "sysctl_entry";
pub const MODULE_FREE: &str = "module_free";
pub const MASK: &str = "mask";
pub const LOG: &str = "log";

/// A hook. `name` is its `layer` in events and in `check --json`: a contract.
#[derive(Debug)]
pub struct HookSpec {
    pub name: &'static str,
    pub layer: Layer,
    pub target: Target,
    /// Ways to attach it, best first.
    pub attachments: &'static [Attachment],
    pub when: When,
    pub sees: &'static str,
    /// What it costs to lack it.
    pub without: &'static str,
}

/// The layer of evidence that a hook serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    MaskWatch,
    TaintEntry,
    LoaderSlot,
    Reconcile,
}

impl Layer {
    /// In the order of their strength.
    pub const ALL: [Self; 4] = [
        Self::MaskWatch,
        Self::TaintEntry,
        Self::LoaderSlot,
        Self::Reconcile,
    ];

    /// In words.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::MaskWatch => "mask watch",
            Self::TaintEntry => "taint entry",
            Self::LoaderSlot => "loader slot",
            Self::Reconcile => "reconcile",
        }
    }
}

/// When a hook is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Always,
    /// Where the kernel serves 32-bit programs: elsewhere nothing is missing.
    Serves32Bit,
    /// Where the watchpoint on the mask cannot be set: for copies of `add_taint` that the compiler may have made.
    WithoutMaskWatch,
    /// Where no hook that sees a taint can be attached.
    WithoutHooks,
}

/// A mechanism, and the eBPF program of the object that it takes; none for a file that is read.
#[derive(Clone, Copy, Debug)]
pub struct Attachment {
    pub mechanism: Mechanism,
    pub program: Option<&'static str>,
}
