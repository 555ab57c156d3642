//! taintwatch records what tainted a Linux kernel, when, and how that is known.
//!
//! The modules stand in the order in which data flows.

pub mod event;
pub mod glob;
pub mod taint;

pub mod klog;

pub mod kernel;
pub mod ring;

pub mod probe;
pub mod record;

pub mod enrich;

pub mod attribute;

pub mod coverage;

pub mod baseline;

pub mod watcher;

pub mod store;

pub mod history;

pub mod fleet;

pub mod intake;

pub mod crash;

pub mod verdict;

pub mod output;

mod queue;

mod exec_queue;
mod journal_queue;
pub mod log_queue;
pub mod metrics;
pub mod socket;

mod recorder;

pub mod config;
pub mod logging;
mod service_manager;

pub mod command;

pub mod cli;
