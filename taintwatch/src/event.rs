//! The public event, schema v1: what the store keeps, the journal gets and `--json` prints.
//!
//! In: nothing, these are plain values. Out: one JSON object an event. A field that is absent is
//! unknown or does not apply. Fields may be added within a schema; none is renamed or removed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The schema that this program writes, and the newest that it reads.
pub const SCHEMA: u32 = 1;

/// One thing that happened to the taint state, or to taintwatch's view of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub schema: u32,
    /// Unique for ever and the same in every export: the key to deduplicate by.
    pub id: String,
    /// The store's own sequence, without holes. 0 until the store has given one.
    pub seq: u64,
    pub kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    #[serde(default = "Time::unknown", skip_serializing_if = "Time::is_unknown")]
    pub time: Time,
    /// The time as a log of the past has it, where year or zone are missing; `time` is absent then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stamp: Option<String>,
    /// `CLOCK_BOOTTIME`, nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boottime_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taint: Option<Taint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<Module>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<RequestedBy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<Context>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// The code that caused it: `symbol+offset [module]`, resolved when it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// From `caller` outwards, resolved when it happened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stack: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
    /// The kernel log lines that belong to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Kind {
    /// A flag was set, or set again.
    Taint,
    ModuleLoad,
    ModuleLoadFailed,
    ModuleUnload,
    /// A write to the mask that no `add_taint` explains.
    MaskWrite,
    /// The watch began, ended or lost a part of itself.
    Coverage,
    /// Records that the kernel half could not hand over.
    Lost,
}

impl Event {
    /// An event of which nothing more is known.
    #[must_use]
    pub fn blank(id: String, kind: Kind, time: Time) -> Self {
        Self {
            schema: SCHEMA,
            id,
            seq: 0,
            kind,
            host: None,
            boot_id: None,
            time,
            stamp: None,
            boottime_ns: None,
            taint: None,
            cause: None,
            module: None,
            task: None,
            requested_by: None,
            context: None,
            cpu: None,
            caller: None,
            stack: Vec::new(),
            coverage: None,
            lost: None,
            log: Vec::new(),
        }
    }
}

impl Kind {
    /// Every kind, in the order of the schema.
    pub const ALL: [Self; 7] = [
        Self::Taint,
        Self::ModuleLoad,
        Self::ModuleLoadFailed,
        Self::ModuleUnload,
        Self::MaskWrite,
        Self::Coverage,
        Self::Lost,
    ];

    /// The word that the schema uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Taint => "taint",
            Self::ModuleLoad => "module_load",
            Self::ModuleLoadFailed => "module_load_failed",
            Self::ModuleUnload => "module_unload",
            Self::MaskWrite => "mask_write",
            Self::Coverage => "coverage",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A wall-clock time, written as RFC 3339 in UTC with nine decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub jiff::Timestamp);

impl Time {
    /// The time of what a log of the past tells without year or zone. No kernel that taints ran in 1970.
    #[must_use]
    pub const fn unknown() -> Self {
        Self(jiff::Timestamp::UNIX_EPOCH)
    }

    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::unknown()
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.9}", self.0)
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// What changed in the mask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taint {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub letter: Option<char>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whose table gave `letter` and `name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// The flag was clear before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<bool>,
    /// How many occurrences this record stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask_before: Option<Mask>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask_after: Option<Mask>,
    /// For `mask_write`: the bits that became set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_set: Option<Vec<u32>>,
    /// For `mask_write`: the bits that became clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_cleared: Option<Vec<u32>>,
}

/// The kernel's taint state, one bit a flag; in JSON a hexadecimal string such as `"0x1201"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mask(pub u64);

impl Mask {
    /// The numbers of the set bits, lowest first.
    pub fn bits(self) -> impl Iterator<Item = u32> {
        (0..u64::BITS).filter(move |bit| self.has(*bit))
    }

    #[must_use]
    pub const fn has(self, bit: u32) -> bool {
        bit < u64::BITS && self.0 >> bit & 1 == 1
    }

    #[must_use]
    pub const fn with(self, bit: u32) -> Self {
        if bit < u64::BITS {
            Self(self.0 | 1 << bit)
        } else {
            self
        }
    }

    /// The bits that are set here and clear in `other`.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl Serialize for Mask {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mask {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        u64::from_str_radix(digits, 16)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

/// Why it happened, and how sure that is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    pub class: Class,
    /// One sentence for people.
    pub summary: String,
    pub confidence: Confidence,
    /// The layers of evidence that agree.
    pub sources: Vec<Source>,
}

/// The kind of cause, told by the code that acted and not by the letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// A store to the mask past the kernel's own functions.
    DirectWrite,
    /// The boot, before anything could watch.
    Boot,
    Unknown,
}

/// How a cause is known, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Seen by a hook when it happened.
    Observed,
    /// Told by a line of the kernel log.
    Logged,
    /// A loaded module carries the flag; when is unknown.
    Listed,
    /// Only the bit is there.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The write watchpoint on `tainted_mask`.
    MaskWatch,
    /// The hook on `add_taint`.
    TaintEntry,
    /// The hooks around `load_module`.
    LoaderSlot,
    /// The mask itself, read again.
    Reconcile,
    /// What the kernel still told when the watch began.
    Baseline,
    /// Lines of the kernel log.
    Log,
    /// What a crash left behind: pstore, its archive, a dump's kernel log.
    Crash,
}

/// A kernel module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub srcversion: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Whose key signed the file, as its signature names it; not a proof that the kernel trusts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// `none`, or `appended` to the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The file that the kernel opened, in its mount namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `file`, or `memory`: then no file is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What became of the file since: `as loaded`, or why nothing is told of its content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_state: Option<String>,
    /// Of the file, packed as it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// For a module from memory: the file that `modinfo` would name. A guess by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
    /// The module's own flags as letters, `POE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taints: Option<String>,
    /// The load succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loaded: Option<bool>,
    /// It runs code, and is in no list of modules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<bool>,
    /// Why a load failed: `ENOENT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<String>,
}

/// The task that the kernel was working for. Absent outside `task` context: nobody is blamed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    pub pid: u32,
    pub tid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ppid: Option<u32>,
    pub comm: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cmdline: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The login uid, when a login set one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auid: Option<u32>,
    /// When the process began, on `CLOCK_BOOTTIME`: with `pid` it names the process for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_boottime_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The id of the container that the cgroup names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The parent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<Ancestor>,
}

/// A process above another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ancestor {
    pub pid: u32,
    pub comm: String,
}

/// On whose behalf the kernel itself asked for a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestedBy {
    /// The name or alias that the kernel asked for.
    pub alias: String,
    /// The task that needed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// The devices that announced themselves with such an alias, as paths below `/sys`; for a module that udev loads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
}

/// What the CPU was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Context {
    Task,
    Softirq,
    Hardirq,
    Nmi,
}

/// A change of the watch itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    pub state: CoverageState,
    pub reason: String,
    /// The kernel that is watched, as `uname -r` says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The mask when the watch began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<Mask>,
    /// Whether traps were seen to reach the program of the mask watch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub self_test: Option<String>,
    /// Each layer, and the mechanism that won.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Hook>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoverageState {
    Began,
    Ended,
    Degraded,
}

/// One layer of the watch as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// `mask_watch`, `taint_entry`, `module_load` …
    pub layer: String,
    /// What won: `breakpoint`, `fentry`, `kprobe` … Absent when nothing could be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<String>,
    /// Why a better mechanism, or any, could not be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Records that were not handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    pub count: u64,
    pub reason: String,
    /// What was lost with them: `detail` of occurrences that are counted all the same, or whole events.
    #[serde(default)]
    pub what: String,
    /// From when on, `CLOCK_BOOTTIME`: the last look that found none lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_ns: Option<u64>,
}
