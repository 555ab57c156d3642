//! The public event, schema v1: what the store keeps, the journal gets and `--json` prints.
//!
//! In: nothing, these are plain values. Out: one JSON object an event. A field that is absent is
//! unknown or does not apply. Fields may be added within a schema; none is renamed or removed.

mod cause;
mod coverage;
mod mask;
mod module;
mod schema;
mod taint;
mod task;
mod time;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use cause::{Cause, Class, Confidence, Source};
pub use coverage::{Coverage, CoverageState, Hook, Lost, Unwatched};
pub use mask::Mask;
pub use module::Module;
pub use schema::schema;
pub use taint::Taint;
pub use task::{Ancestor, Context, RequestedBy, Task};
pub use time::Time;

/// The schema that this program writes, and the newest that it reads.
pub const SCHEMA: u32 = 1;

/// One thing that happened to the kernel's taint state, or to the monitoring of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// The version of this schema.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: u32,
    /// Unique, and the same in every export: the key to deduplicate by.
    pub id: String,
    /// The number of the event in its store, without gaps but where old events were removed. 0 where no store recorded it; `analyze` numbers the events
    /// of a run.
    pub seq: u64,
    /// What kind of thing happened.
    pub kind: Kind,
    /// The machine: `/etc/machine-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The boot: `/proc/sys/kernel/random/boot_id`, or what a log has in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// The wall-clock time of the event. Absent where a log has no year or no zone.
    #[serde(default = "Time::unknown", skip_serializing_if = "Time::is_unknown")]
    pub time: Time,
    /// The time as a log shows it, where its year or zone is missing; `time` is absent then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stamp: Option<String>,
    /// `analyze`: the log that shows the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// `CLOCK_BOOTTIME`, nanoseconds since the boot, suspends included. For lines of a log: the log's own clock, which
    /// leaves suspends out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boottime_ns: Option<u64>,
    /// What changed. For `taint` and `mask_write`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taint: Option<Taint>,
    /// Why it happened, and how that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The module that did it, or that the event is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<Module>,
    /// The task that did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// Where the kernel itself asked for the module: for whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<RequestedBy>,
    /// What the CPU was doing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<Context>,
    /// The CPU that it happened on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// The code that caused it: `symbol+offset [module]`, resolved when it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The call stack, the innermost frame first, resolved when it happened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stack: Vec<String>,
    /// For `coverage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
    /// For `lost`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
    /// The kernel log lines that belong to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
}

/// What kind of thing happened.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Kind {
    /// A flag was set, or set again.
    Taint,
    /// A module was loaded.
    ModuleLoad,
    /// A module failed to load; its flags may stay.
    ModuleLoadFailed,
    /// A module was unloaded.
    ModuleUnload,
    /// A write to the mask that no call of `add_taint` explains.
    MaskWrite,
    /// Monitoring began, ended, or lost a layer.
    Coverage,
    /// Records that the eBPF programs could not deliver.
    Lost,
}

impl Event {
    /// The flag that it is about, where it is one.
    #[must_use]
    pub fn bit(&self) -> Option<u32> {
        self.taint.as_ref()?.bit
    }

    /// The name of the module that it is about.
    #[must_use]
    pub fn module_name(&self) -> Option<&str> {
        self.module.as_ref()?.name.as_deref()
    }

    /// How many occurrences it stands for.
    #[must_use]
    pub fn occurrences(&self) -> u64 {
        let count = self.taint.as_ref().and_then(|taint| taint.count);
        count.unwrap_or(1)
    }

    /// Whether it set this flag.
    #[must_use]
    pub fn sets(&self, bit: u32) -> bool {
        self.taint.as_ref().is_some_and(|taint| taint.sets(bit))
    }

    /// Whether code of a module did it, and not its load or somebody else.
    #[must_use]
    pub fn is_by_a_modules_code(&self) -> bool {
        let class = self.cause.as_ref().map(|cause| cause.class);
        matches!(class, Some(Class::ModuleCode | Class::DirectWrite))
    }

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
            file: None,
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

    /// The word in the schema.
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
