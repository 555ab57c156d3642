//! Hooks on the running kernel: which there are, what they rely on, and how they are attached.
//!
//! In: the table of hooks, the eBPF object inside this executable, what a user ruled out. Out: a [`monitor::Monitor`],
//! which holds the attached programs.

mod attach;
pub mod attempts;
mod bpf;
mod breakpoint;
pub mod contract;
pub mod counts;
#[cfg(feature = "bpf-log")]
mod developer_log;
mod error;
mod globals;
pub mod hooks;
mod kprobe_event;
pub mod leftover;
mod links;
mod maps;
mod mask_watch;
pub mod mechanism;
pub mod monitor;
mod perf_event;
mod pin_error;
pub mod pins;
mod program;
mod self_test;
mod shared;

pub use error::Error;
pub use mechanism::Without;
