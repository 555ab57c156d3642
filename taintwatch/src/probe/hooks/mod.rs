//! The one table of hooks: what each is, how it is attached, what it sees, and what is lost without it.
//!
//! In: nothing. Out: [`HOOKS`]. The attach plan, the contract with the kernel's types, `taintwatch check` and the table
//! in the README all read it.

mod markdown;
mod spec;
mod table;
pub mod targets;

pub use markdown::markdown_table;
pub use spec::{
    Attachment, HookSpec, LOG, Layer, MASK, MASK_WATCH, MODULE_FREE, SYSCTL_ENTRY, TAINT_ENTRY,
    When,
};
pub use table::HOOKS;

/// A hook by its name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static HookSpec> {
    HOOKS.iter().find(|hook| hook.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_hook_has_a_name_of_its_own_and_every_text() {
        let names: HashSet<_> = HOOKS.iter().map(|hook| hook.name).collect();
        assert_eq!(names.len(), HOOKS.len());
        for hook in &HOOKS {
            assert!(!hook.attachments.is_empty(), "{}", hook.name);
            assert!(!hook.sees.is_empty(), "{}", hook.name);
            assert!(!hook.without.is_empty(), "{}", hook.name);
        }
        for name in [
            MASK_WATCH,
            TAINT_ENTRY,
            SYSCTL_ENTRY,
            MODULE_FREE,
            MASK,
            LOG,
        ] {
            assert!(names.contains(name), "{name}");
        }
    }

    #[test]
    fn only_hooks_of_last_resort_have_no_program() {
        for hook in &HOOKS {
            let is_file = hook.when == When::WithoutHooks;
            for attachment in hook.attachments {
                assert_eq!(attachment.program.is_none(), is_file, "{}", hook.name);
            }
        }
    }
}
