//! The task, the task on whose behalf it ran, and what the CPU was doing.

use serde::{Deserialize, Serialize};

/// The task that the kernel was working for. Absent outside `task` context: there no task is to blame.
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
