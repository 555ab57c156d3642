//! Whether a kernel can be monitored in full: the answer first, then what is missing and what that costs, then what is in
//! place.
//!
//! In: what was found and tried. Out: text; hooks that were refused for one reason are one entry.

mod groups;
#[cfg(test)]
mod tests;

use anstyle::Style;
use serde::Serialize;

use super::{
    layout::{Layout, ROW},
    style::{ALARM, BOLD, DIM, GOOD},
};
use crate::{
    event::Hook,
    kernel::prerequisites::Prerequisite,
    probe::{contract, hooks::Layer},
    watcher::LIMITS,
};
use groups::Group;

/// What is printed; the shape is a contract.
#[derive(Debug, Serialize)]
pub struct Check {
    pub kernel: String,
    /// `full`, `degraded`, or `polled`: the mask and the log alone.
    #[serde(rename = "cover")]
    pub coverage: &'static str,
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

/// A hook with what it is for.
#[derive(Debug, Serialize)]
pub struct Tried {
    #[serde(flatten)]
    pub hook: Hook,
    pub sees: &'static str,
    pub without: &'static str,
}

/// Prints it.
pub fn print(check: &Check, layout: &mut Layout) {
    let answer = match check.coverage {
        "full" => "full coverage: every change of the taint state is recorded",
        "degraded" => "degraded coverage: taints are recorded, with the gaps below",
        _ => "polled: no hook sees a taint, only the mask and the kernel log are read",
    };
    layout.marked(0, &format!("{}:", check.kernel), 0, BOLD, answer);
    if let Some(reason) = &check.reason {
        // What is lost has a line of its own.
        let cause = reason.strip_suffix(LIMITS);
        let cause = cause.map_or(reason.as_str(), |cause| cause.trim_end_matches(". "));
        layout.marked(0, "why", 5, DIM, cause);
        if cause.len() < reason.len() {
            let lost = LIMITS.split_once(": ").map_or(LIMITS, |(_, lost)| lost);
            layout.marked(0, "lost", 5, DIM, lost);
        }
    }
    missing(check, layout);
    in_place(check, layout);
}

fn missing(check: &Check, layout: &mut Layout) {
    let groups = groups::refused(&check.hooks);
    let is_named = |found: &str| groups.iter().any(|group| group.why.contains(found));
    let lacking = check.prerequisites.iter().filter(|it| !it.ok);
    let lacking: Vec<_> = lacking.filter(|it| !is_named(&it.found)).collect();
    if groups.is_empty() && lacking.is_empty() && check.missing_members.is_empty() {
        return;
    }
    layout.section(0, "missing");
    for found in lacking {
        row(false, found.name, &found.found, layout);
        detail("lost", found.without, layout);
    }
    for member in &check.missing_members {
        let text = format!("{member} is not in this kernel's types");
        row(false, "member", &text, layout);
        if let Some(lost) = contract::gives(member) {
            detail("lost", lost, layout);
        }
    }
    for group in groups {
        refused(&group, layout);
    }
}

fn refused(group: &Group<'_>, layout: &mut Layout) {
    if let [one] = group.hooks.as_slice() {
        row(false, &one.hook.layer, &group.why, layout);
        return detail("lost", one.without, layout);
    }
    let name = format!("{} hooks", group.hooks.len());
    row(false, &name, &group.why, layout);
    for tried in &group.hooks {
        layout.marked(ROW, &tried.hook.layer, 15, DIM, tried.without);
    }
}

fn in_place(check: &Check, layout: &mut Layout) {
    layout.section(0, "in place");
    for layer in Layer::ALL {
        let hooks = groups::attached(&check.hooks, layer);
        if !hooks.is_empty() {
            row(true, layer.title(), &hooks.join(", "), layout);
        }
    }
    for why in groups::replaced(&check.hooks) {
        layout.row("..", DIM, "second choice", &why);
    }
    if let Some(tested) = &check.self_test {
        let ok = !tested.starts_with("unproven");
        row(ok, "self-test", tested, layout);
    }
    let found = check.prerequisites.iter().filter(|it| it.ok);
    let found: Vec<_> = found.map(|it| it.found.as_str()).collect();
    row(true, "this kernel", &found.join(", "), layout);
}

fn row(ok: bool, name: &str, text: &str, layout: &mut Layout) {
    let (mark, style): (_, Style) = if ok { ("ok", GOOD) } else { ("--", ALARM) };
    layout.row(mark, style, name, text);
}

fn detail(name: &str, text: &str, layout: &mut Layout) {
    layout.marked(ROW, name, 5, DIM, text);
}
