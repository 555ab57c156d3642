//! The verbs of the command line, one a file.

pub mod analyze;
pub mod attach;
mod boots;
pub mod check;
pub mod config;
pub mod daemon;
pub mod decode;
pub mod detach;
pub mod explain;
mod liveness;
pub mod report;
pub mod run;
pub mod status;
pub mod tail;
pub mod why;
