//! taintwatch records what tainted a Linux kernel, when, and how that is known.
//!
//! The modules stand in the order in which data flows; none imports a later one.

pub mod event;
pub mod taint;
