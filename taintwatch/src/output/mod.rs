//! Where events go: one sink a file.

pub mod boots;
pub mod escape;
pub mod human;
pub mod journald;
pub mod wrap;
