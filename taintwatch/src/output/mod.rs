//! Where events go: one sink a file.

pub mod boots;
pub mod check;
pub mod diff;
pub mod escape;
pub mod explain;
mod explained;
pub mod facts;
pub mod html;
pub mod human;
pub mod journald;
pub mod json;
pub mod paper;
pub mod report;
pub mod status;
pub mod why;
pub mod words;
pub mod wrap;
