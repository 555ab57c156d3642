//! What this kernel is and offers: its identity, its taint mask, its symbols, its types, its log.

pub mod btf;
pub mod capability;
pub mod functions;
pub mod identity;
pub mod kallsyms;
pub mod kmsg;
pub mod log_clock;
pub mod mask;
pub mod mask_symbol;
pub mod os_release;
pub mod prerequisites;
pub mod suse;
pub mod uevent;
