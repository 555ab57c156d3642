//! The configuration of the daemon: what may be set, and the defaults.
//!
//! In: the text of `/etc/taintwatch/taintwatch.toml`. Out: settings, or each fault with its place. The doc comments here
//! are what the file that is shipped, the manual page and the README say of each key.

mod exec;
mod fault;
mod keys;
mod load;
mod position;
mod size;

use std::{net::SocketAddr, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{event::Event, metrics, probe::pins, socket, store};
pub use exec::Exec;
pub use fault::{Fault, Faults};
pub use keys::{Key, differences, keys, template};
pub use load::{Error, load, load_or_default, parse};
pub use size::Size;

/// Where it is looked for.
pub const DEFAULT_PATH: &str = "/etc/taintwatch/taintwatch.toml";
/// The keys that a running daemon takes over when it reads the file again.
pub const AT_RUN_TIME: [&str; 2] = ["log.level", "record.cmdline"];

/// Everything that may be set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub history: History,
    pub journal: Journal,
    pub log: Log,
    pub metrics: Metrics,
    pub pins: Pins,
    pub record: Record,
    pub socket: Socket,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exec: Vec<Exec>,
}

/// The history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct History {
    /// The SQLite file that events are recorded to, for the daemon and for every verb that reads it; `--db` goes before
    /// it. Under systemd, another folder needs `ReadWritePaths=` in a drop-in of the unit.
    #[serde(deserialize_with = "absolute")]
    pub path: PathBuf,
    /// For how many days events are kept; 0: for ever. Whole boots are removed, oldest first. In a boot that stays, what
    /// repeats a flag that was set already is removed, but for the last of each cause.
    pub keep_days: u32,
    /// How large the history may be, as `"512 MiB"`; `"0"`: as large as it gets. Whole boots are removed, oldest first; of
    /// the boot that runs, all but first settings of flags, changes of the coverage, losses and writes to the mask.
    pub max_size: Size,
}

/// The journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Journal {
    /// Whether each event becomes an entry of the journal, too.
    pub enabled: bool,
}

/// What the daemon says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// What the daemon says of itself on standard error: "off", "error", "warn", "info", "debug" or "trace". The
    /// environment variable `RUST_LOG` goes before it.
    pub level: Level,
}

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Off,
    Error,
    #[default]
    Warn,
    Info,
    Debug,
    Trace,
}

/// Metrics for Prometheus.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// A file for the textfile collector of node_exporter, whose folder must be there: it reads files that end in .prom.
    /// Under systemd, the folder needs `ReadWritePaths=` in a drop-in of the unit.
    #[serde(deserialize_with = "absolute_or_none", serialize_with = "or_empty")]
    pub textfile: Option<PathBuf>,
    /// An address of this machine alone where `/metrics` is served, such as "127.0.0.1:9987". Under systemd, it needs the
    /// drop-in metrics.conf.
    #[serde(
        deserialize_with = "address_or_none",
        serialize_with = "or_empty_address"
    )]
    #[schemars(with = "String")]
    pub listen: Option<SocketAddr>,
}

impl Metrics {
    /// As the metrics take them.
    #[must_use]
    pub fn settings(&self) -> metrics::Settings {
        metrics::Settings {
            textfile: self.textfile.clone(),
            listen: self.listen,
        }
    }
}

/// The attached eBPF programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pins {
    /// Whether the eBPF programs stay attached when the daemon ends, is killed or is upgraded: what happens meanwhile waits
    /// in the ring buffer, and the next daemon takes over. `taintwatch detach` removes them.
    pub enabled: bool,
    /// The folder for them, in a BPF file system. Under systemd, another folder needs `ReadWritePaths=` in a drop-in of
    /// the unit.
    #[serde(deserialize_with = "absolute")]
    pub path: PathBuf,
}

/// What an event contains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Record {
    /// Whether events contain the arguments of processes, which may hold secrets. What was recorded before stays.
    pub cmdline: bool,
}

/// The socket for live readers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Socket {
    /// Where `taintwatch tail` connects to the daemon; `--socket` goes before it.
    #[serde(deserialize_with = "absolute")]
    pub path: PathBuf,
    /// The group that may connect. Where the machine has no such group, root alone may.
    pub group: String,
}

impl Default for History {
    fn default() -> Self {
        Self {
            path: store::DEFAULT_PATH.into(),
            keep_days: 0,
            max_size: Size::mib(512),
        }
    }
}

impl History {
    /// What it may hold.
    #[must_use]
    pub fn limits(&self) -> store::Limits {
        let hours = i64::from(self.keep_days) * 24;
        store::Limits {
            age: (hours > 0).then(|| jiff::SignedDuration::from_hours(hours)),
            bytes: Some(self.max_size.bytes()).filter(|bytes| *bytes > 0),
        }
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Default for Pins {
    fn default() -> Self {
        Self {
            enabled: true,
            path: pins::DEFAULT_PATH.into(),
        }
    }
}

impl Default for Record {
    fn default() -> Self {
        Self { cmdline: true }
    }
}

impl Default for Socket {
    fn default() -> Self {
        Self {
            path: socket::DEFAULT_PATH.into(),
            group: socket::DEFAULT_GROUP.to_owned(),
        }
    }
}

impl Record {
    /// Takes out of an event what it is not to contain.
    pub fn restrict(&self, event: &mut Event) {
        if self.cmdline {
            return;
        }
        let requester = event.requested_by.as_mut().and_then(|by| by.task.as_mut());
        for task in event.task.as_mut().into_iter().chain(requester) {
            task.cmdline.clear();
        }
    }
}

impl From<Level> for log::LevelFilter {
    fn from(level: Level) -> Self {
        match level {
            Level::Off => Self::Off,
            Level::Error => Self::Error,
            Level::Warn => Self::Warn,
            Level::Info => Self::Info,
            Level::Debug => Self::Debug,
            Level::Trace => Self::Trace,
        }
    }
}

/// A path that means the same file wherever the program is started.
fn absolute<'de, D: Deserializer<'de>>(value: D) -> Result<PathBuf, D::Error> {
    let path = PathBuf::deserialize(value)?;
    if path.is_absolute() {
        return Ok(path);
    }
    Err(D::Error::custom(
        "the path is relative: write it from the root on, with a `/` at its beginning",
    ))
}

fn absolute_or_none<'de, D: Deserializer<'de>>(value: D) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(value)?;
    if text.is_empty() {
        return Ok(None);
    }
    let text = serde::de::value::StringDeserializer::new(text);
    absolute(text).map(Some)
}

#[expect(clippy::ref_option, reason = "the form that serde calls")]
fn or_empty<S: Serializer>(value: &Option<PathBuf>, out: S) -> Result<S::Ok, S::Error> {
    value.clone().unwrap_or_default().serialize(out)
}

/// Not one that other machines reach: metrics say which modules a machine has.
fn address_or_none<'de, D: Deserializer<'de>>(value: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(value)?;
    if text.is_empty() {
        return Ok(None);
    }
    let address: Option<SocketAddr> = text.parse().ok();
    match address.filter(|address| address.ip().is_loopback()) {
        Some(address) => Ok(Some(address)),
        None => Err(D::Error::custom(
            "give a loopback address and a port, such as \"127.0.0.1:9987\" or \"[::1]:9987\"",
        )),
    }
}

#[expect(clippy::ref_option, reason = "the form that serde calls")]
fn or_empty_address<S: Serializer>(value: &Option<SocketAddr>, out: S) -> Result<S::Ok, S::Error> {
    let text = value.map(|address| address.to_string());
    text.unwrap_or_default().serialize(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Kind, RequestedBy, Task, Time};

    #[test]
    fn command_lines_are_left_out_wherever_an_event_has_one() {
        let task = Task {
            cmdline: vec!["mount".into(), "-o".into(), "password=x".into()],
            comm: "mount".into(),
            ..Task::default()
        };
        let mut event = Event::blank("x".to_owned(), Kind::Taint, Time::unknown());
        event.task = Some(task.clone());
        event.requested_by = Some(RequestedBy {
            alias: "fs-nfs".into(),
            task: Some(task),
            devices: Vec::new(),
        });
        let whole = event.clone();
        Record { cmdline: true }.restrict(&mut event);
        assert_eq!(event, whole);
        Record { cmdline: false }.restrict(&mut event);
        let text = serde_json::to_string(&event).unwrap();
        assert!(!text.contains("password") && !text.contains("cmdline"));
        assert!(text.contains("\"comm\":\"mount\""), "{text}");
    }

    #[test]
    fn each_level_is_one_of_the_logs() {
        assert_eq!(
            log::LevelFilter::from(Level::default()),
            log::LevelFilter::Warn
        );
        for level in ["off", "error", "warn", "info", "debug", "trace"] {
            let config = parse(&format!("[log]\nlevel = \"{level}\"\n")).unwrap();
            let filter = log::LevelFilter::from(config.log.level);
            assert_eq!(filter.as_str().to_lowercase(), level);
        }
    }
}
