//! Metrics of the taint state, for Prometheus.
//!
//! In: events as they are recorded, the kernel's mask. Out: the text format, version 0.0.4, which Prometheus and
//! node_exporter's textfile collector read.

mod state;
mod text;

pub use state::State;
pub use text::{About, DESCRIBED, Described, text};
