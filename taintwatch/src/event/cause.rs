//! Why something happened, and how that is known.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why it happened, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cause {
    /// Which kind of cause.
    pub class: Class,
    /// One sentence for people. Its wording is no contract.
    pub summary: String,
    /// How it is known.
    pub confidence: Confidence,
    /// The layers of evidence that agree.
    pub sources: Vec<Source>,
}

/// The kind of cause. It follows from the code that acted, never from the flag's letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The module loader, for the module that it was loading.
    ModuleLoad,
    /// Code of a loaded module.
    ModuleCode,
    /// Code of the kernel itself.
    KernelCode,
    /// A task wrote to `/proc/sys/kernel/tainted`.
    SysctlWrite,
    /// A forced unload.
    ModuleUnload,
    /// A store to the mask that bypasses the kernel's own functions.
    DirectWrite,
    /// The boot, before monitoring could begin.
    Boot,
    /// Nothing shows which it was.
    Unknown,
}

impl Class {
    /// The word that the schema uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ModuleLoad => "module_load",
            Self::ModuleCode => "module_code",
            Self::KernelCode => "kernel_code",
            Self::SysctlWrite => "sysctl_write",
            Self::ModuleUnload => "module_unload",
            Self::DirectWrite => "direct_write",
            Self::Boot => "boot",
            Self::Unknown => "unknown",
        }
    }
}

/// How a cause is known, strongest first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// A hook saw it when it happened.
    Observed,
    /// A line of the kernel log shows it.
    Logged,
    /// A module carries the flag; when it was set is unknown.
    Listed,
    /// Only the bit is set; nothing shows why.
    Unattributed,
}

impl Confidence {
    /// The word that the schema uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Logged => "logged",
            Self::Listed => "listed",
            Self::Unattributed => "unattributed",
        }
    }
}

/// A layer of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The write watchpoint on `tainted_mask`.
    MaskWatch,
    /// The hook on `add_taint`.
    TaintEntry,
    /// The hooks around `load_module`.
    LoaderSlot,
    /// The mask, read again and compared.
    Reconcile,
    /// What the kernel still showed when monitoring began.
    Baseline,
    /// Lines of the kernel log.
    Log,
    /// What a crash left behind: pstore, its archive, a dump's kernel log.
    Crash,
}

impl Cause {
    /// The layers that it rests on, in words.
    #[must_use]
    pub fn source_descriptions(&self) -> String {
        let words: Vec<_> = self
            .sources
            .iter()
            .map(|source| source.description())
            .collect();
        words.join(", ")
    }
}

impl Source {
    /// What it is, in words.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::MaskWatch => "watchpoint on the mask",
            Self::TaintEntry => "hook on add_taint",
            Self::LoaderSlot => "hooks around the module loader",
            Self::Reconcile => "the mask, read again",
            Self::Baseline => "what the kernel still showed when monitoring began",
            Self::Log => "the kernel log",
            Self::Crash => "what a crash left behind",
        }
    }
}
