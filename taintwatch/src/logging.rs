//! What this program says of itself, on standard error.
//!
//! In: the level, from the environment or the configuration. Out: lines; with their priority in front where the journal
//! reads them.

use std::{
    env,
    io::{self, Write as _},
};

use log::{Level, LevelFilter};

use crate::log_queue::{self, Flush};

/// The variable that goes before every other setting, for developers.
const VARIABLE: &str = "RUST_LOG";

/// Begins, with warnings and errors. What a daemon says goes through a queue, which the guard empties at its end: to
/// record does not wait for standard error.
#[must_use]
pub fn begin(is_daemon: bool) -> Option<Flush> {
    let journal = libsystemd::logging::connected_to_journal();
    let mut builder = env_logger::Builder::new();
    let flush = is_daemon.then(|| {
        let (queue, flush) = log_queue::begin(io::stderr());
        builder.target(env_logger::Target::Pipe(Box::new(queue)));
        flush
    });
    // Warnings look like errors: they are for the same user.
    builder.format(move |out, record| {
        if journal {
            write!(out, "<{}>", priority(record.level()))?;
        }
        writeln!(out, "taintwatch: {}", record.args())
    });
    if is_set() {
        builder.parse_env(VARIABLE).init();
        return flush;
    }
    // The level that holds is set below, and can be changed later.
    builder
        .filter_level(LevelFilter::Warn)
        .filter_module("taintwatch", LevelFilter::Trace)
        .init();
    set_level(LevelFilter::Warn);
    flush
}

/// Says as much from now on, unless the environment says how much.
pub fn set_level(level: LevelFilter) {
    if !is_set() {
        log::set_max_level(level);
    }
}

fn is_set() -> bool {
    env::var_os(VARIABLE).is_some_and(|value| !value.is_empty())
}

/// As `syslog(3)` counts them.
const fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}
