//! Where events go: one sink a file.

pub mod analysis;
pub mod catalog;
pub mod check;
pub mod coverage_line;
pub mod diff;
pub mod escape;
pub mod event_line;
pub mod explain;
pub mod fields;
pub mod fleet;
pub mod format;
pub mod html;
pub mod journald;
pub mod json;
pub mod layout;
pub mod limits;
pub mod markdown;
mod message_id;
pub mod metrics;
pub mod report;
pub mod run;
pub mod scope;
pub mod selection;
pub mod status;
pub mod style;
pub mod why;
pub mod wrap;
