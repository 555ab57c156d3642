//! What the taint state means: the flags, which vendors have which, the shapes in which kernels print them,
//! the words that explain them.

pub mod callers;
pub mod explain;
pub mod flags;
pub mod log;
mod printk_patterns;
pub mod release;
pub mod tables;
pub mod text;
pub mod vendor;
pub mod version;
