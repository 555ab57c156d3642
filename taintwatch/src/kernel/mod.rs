//! What this kernel is and offers: its identity, its taint mask, its symbols, its types.

pub mod btf;
pub mod identity;
pub mod kallsyms;
pub mod mask;
pub mod prerequisites;
