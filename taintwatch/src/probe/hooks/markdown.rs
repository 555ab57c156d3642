//! The table of hooks for the README.

use std::fmt::Write as _;

use super::{spec::HookSpec, table::HOOKS};

/// A Markdown table, a row a hook.
#[must_use]
pub fn markdown_table() -> String {
    let mut table = "| layer | hook | mechanisms, best first | what it sees | lost without it |\n\
                     |--|--|--|--|--|\n"
        .to_owned();
    for hook in &HOOKS {
        // Writing to a String cannot fail.
        _ = writeln!(
            table,
            "| {} | `{}` | {} | {} | {} |",
            hook.layer.title(),
            hook.name,
            mechanisms(hook),
            hook.sees,
            hook.without
        );
    }
    table
}

/// `fentry, kprobe on add_taint`.
fn mechanisms(hook: &HookSpec) -> String {
    let names: Vec<_> = hook
        .attachments
        .iter()
        .map(|attachment| attachment.mechanism.name())
        .collect();
    format!("{} on `{}`", names.join(", "), hook.target.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_the_columns_of_the_head() {
        let table = markdown_table();
        assert_eq!(table.lines().count(), HOOKS.len() + 2);
        for line in table.lines() {
            assert_eq!(line.matches('|').count(), 6, "{line}");
        }
        assert!(table.contains("| taint entry | `taint_entry` | fentry, kprobe on `add_taint` |"));
    }
}
