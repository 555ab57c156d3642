//! Which task acted, which one a module was loaded for, and what the CPU was doing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The task that the kernel was working for. Absent outside `task` context: then the task that was interrupted is no
/// cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// The process: what the kernel calls `tgid`.
    pub pid: u32,
    /// The thread: what the kernel calls `pid`.
    pub tid: u32,
    /// The parent process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ppid: Option<u32>,
    /// The thread's name, at most 15 bytes. A process may choose any.
    pub comm: String,
    /// The file that it executes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
    /// The number of the mount namespace that `exe` is in, as `lsns` shows it, where that is not the machine's own, as in
    /// a container: the path may be another file outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount_namespace: Option<u32>,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cmdline: Vec<String>,
    /// The real user id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The login user id, when a login set one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auid: Option<u32>,
    /// `CLOCK_BOOTTIME`, nanoseconds, when the process began. With `pid` it identifies the process within its boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_boottime_ns: Option<u64>,
    /// The path of its cgroup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    /// The systemd unit that the cgroup names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The container id that the cgroup names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The processes above it, the parent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<Ancestor>,
}

/// A process above another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ancestor {
    /// The process.
    pub pid: u32,
    /// Its name.
    pub comm: String,
}

/// For whom the kernel itself asked for a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestedBy {
    /// The name or alias that the kernel asked for.
    pub alias: String,
    /// The task that needed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// For a module that udev loads: the devices that announced themselves with such an alias, as paths below `/sys`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
}

/// What the CPU was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Context {
    /// A system call or a kernel thread.
    Task,
    /// A softirq.
    Softirq,
    /// A hardware interrupt.
    Hardirq,
    /// A non-maskable interrupt, such as a machine check.
    Nmi,
}
