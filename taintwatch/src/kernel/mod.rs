//! What this kernel is and offers: its identity, its taint mask, its symbols, its types, its log.
//!
//! Supported are 5.10 to 7.3 on x86-64. What differs between them is asked of the kernel itself (symbols, types, files):
//! nothing here compares versions.

pub mod btf;
pub mod build_options;
pub mod capability;
pub mod functions;
pub mod identity;
pub mod kallsyms;
pub mod kmsg;
pub mod log_clock;
pub mod mask;
pub mod mask_address;
pub mod os_release;
pub mod prerequisites;
pub mod suse;
pub mod uevent;
