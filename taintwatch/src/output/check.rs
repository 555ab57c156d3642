//! What a kernel offers to watch it by: prerequisites and hooks, a row each.
//!
//! In: what was found and tried. Out: what there is, why the rest is not, and what is lost without it.

use anstyle::Style;
use serde::Serialize;

use super::{
    layout::{Layout, ROW},
    style::{ALARM, BOLD, DIM, GOOD},
};
use crate::{event::Hook, kernel::prerequisites::Prerequisite};

/// What is printed; the shape is a contract.
#[derive(Debug, Serialize)]
pub struct Check {
    pub kernel: String,
    /// `full`, `degraded`, or `polled`: the mask and the log alone.
    pub cover: &'static str,
    /// Why it is not `full`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub self_test: Option<String>,
    pub prerequisites: Vec<Prerequisite>,
    pub hooks: Vec<Tried>,
    /// Structure members that this kernel does not have.
    pub missing_members: Vec<String>,
}

/// A layer with what it is for.
#[derive(Debug, Serialize)]
pub struct Tried {
    #[serde(flatten)]
    pub hook: Hook,
    pub sees: &'static str,
    pub without: &'static str,
}

/// Prints it.
pub fn print(check: &Check, layout: &mut Layout) {
    let cover = match check.cover {
        "full" => "every change of the taint state can be recorded",
        "degraded" => "changes are recorded with the gaps named below",
        _ => "no hook can be had: the mask and the kernel log are watched instead",
    };
    layout.marked(0, &format!("{}:", check.kernel), 0, BOLD, cover);
    // Further lines are of the hooks, each of which has its row.
    if let Some(reason) = check.reason.as_ref().and_then(|it| it.lines().next()) {
        layout.marked(0, "why", 4, DIM, reason.trim_end_matches(':'));
    }
    layout.section(0, "this kernel");
    for found in &check.prerequisites {
        row(found.ok, found.name, &found.found, layout);
        if !found.ok {
            detail("lost", found.without, layout);
        }
    }
    for member in &check.missing_members {
        row(
            false,
            "member",
            &format!("{member} is not in this kernel's types"),
            layout,
        );
    }
    layout.section(0, "hooks");
    for tried in &check.hooks {
        hook(tried, layout);
    }
    if let Some(tested) = &check.self_test {
        layout.section(0, "self-test");
        layout.indented(2, tested);
    }
}

fn hook(tried: &Tried, layout: &mut Layout) {
    let hook = &tried.hook;
    let mechanism = hook.mechanism.as_deref();
    let won = |mechanism| format!("{mechanism}: {}", tried.sees);
    let text = mechanism.map_or_else(|| "none".to_owned(), won);
    row(mechanism.is_some(), &hook.layer, &text, layout);
    if let Some(reason) = &hook.reason {
        detail("why", reason, layout);
    }
    if mechanism.is_none() && !tried.without.is_empty() {
        detail("lost", tried.without, layout);
    }
}

fn row(ok: bool, name: &str, text: &str, layout: &mut Layout) {
    let (mark, style): (_, Style) = if ok { ("ok", GOOD) } else { ("--", ALARM) };
    layout.row(mark, style, name, text);
}

fn detail(name: &str, text: &str, layout: &mut Layout) {
    layout.marked(ROW, name, 5, DIM, text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::ladder;

    fn tried(layer: &str, mechanism: Option<&str>, reason: Option<&str>) -> Tried {
        Tried {
            hook: ladder::hook(layer, mechanism, reason.map(str::to_owned)),
            sees: "what it sees, in as many words as it takes to say so to somebody",
            without: "what is lost",
        }
    }

    #[test]
    fn every_hook_that_was_refused_has_its_reason() {
        let check = Check {
            kernel: "6.1.0".to_owned(),
            cover: "polled",
            reason: Some(
                "no hooks: this kernel takes no hook that sees a taint:\n  taint_entry none"
                    .to_owned(),
            ),
            self_test: None,
            prerequisites: vec![Prerequisite {
                name: "kallsyms",
                ok: false,
                found: "it has no tainted_mask".to_owned(),
                without: "the mask cannot be watched, only the functions that set it",
                vital: false,
            }],
            hooks: vec![
                tried(
                    "taint_entry",
                    None,
                    Some(
                        "fentry on add_taint: load: No such process (os error 3); kprobe on add_taint: no",
                    ),
                ),
                tried("mask", Some("proc"), None),
                tried(
                    "module_request",
                    Some("raw_tracepoint"),
                    Some("a better one was refused"),
                ),
            ],
            missing_members: vec!["module.mem".to_owned()],
        };
        let mut layout = Layout::new(72);
        print(&check, &mut layout);
        let text = anstream::adapter::strip_str(&layout.text()).to_string();
        insta::assert_snapshot!(text, @r"
        6.1.0: no hook can be had: the mask and the kernel log are watched
        instead
        why no hooks: this kernel takes no hook that sees a taint

        this kernel
          -- kallsyms       it has no tainted_mask
                            lost the mask cannot be watched, only the functions
                                 that set it
          -- member         module.mem is not in this kernel's types

        hooks
          -- taint_entry    none
                            why  fentry on add_taint: load: No such process (os
                                 error 3); kprobe on add_taint: no
                            lost what is lost
          ok mask           proc: what it sees, in as many words as it takes to
                            say so to somebody
          ok module_request raw_tracepoint: what it sees, in as many words as it
                            takes to say so to somebody
                            why  a better one was refused
        ");
    }
}
