//! Where events go: one sink a file.

pub mod analysis;
pub mod check;
pub mod diff;
pub mod escape;
pub mod explain;
pub mod fields;
pub mod html;
pub mod human;
pub mod journald;
pub mod json;
pub mod layout;
pub mod report;
pub mod status;
pub mod why;
pub mod words;
pub mod wrap;
