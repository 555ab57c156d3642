//! The history as a text that fits a mail.
//!
//! In: what the report covers. Out: a head, and of each boot the flags, the timeline, the modules, the coverage, and what
//! was lost; at the end what the words and marks mean. Long lists are cut by the report's limits, and say so.

mod coverage;
mod flags;
mod legend;
mod modules;
#[cfg(test)]
mod tests;
mod timeline;

use super::{
    fields::{clock_change, end, mask},
    format,
    layout::Layout,
    scope::Scope,
    selection::Selection,
    style::DIM,
};
use crate::{coverage::Period, history::BootHistory};
pub(super) use flags::more_causes;

/// Where the text of a fact begins.
const COLUMN: usize = 10;

/// Prints the report.
pub fn print(scope: &Scope<'_, '_>, layout: &mut Layout) {
    head(scope, layout);
    let selection = Selection::of(scope);
    for (boot, selected) in scope.boots.iter().zip(&selection.boots) {
        layout.blank();
        boot_head(scope, boot, layout);
        flags::print(scope, boot, layout);
        timeline::print(selected, layout);
        modules::print(scope, boot, layout);
        coverage::print(scope, boot, layout);
        coverage::losses(scope, boot, layout);
    }
    legend::print(scope, layout);
}

fn fact(layout: &mut Layout, name: &str, text: &str) {
    layout.marked(0, name, COLUMN, DIM, text);
}

fn head(scope: &Scope<'_, '_>, layout: &mut Layout) {
    layout.title(0, "What tainted this kernel");
    for host in scope.hosts() {
        fact(layout, "machine", host);
    }
    fact(layout, "scope", &scope.description);
    let made = format::clock(scope.made);
    let version = env!("CARGO_PKG_VERSION");
    fact(
        layout,
        "made",
        &format!("{made} by taintwatch {version}; all times are UTC"),
    );
    fact(layout, "history", &scope.size());
    if scope.events() == 0 {
        layout.indented(0, "the history has no such event");
    }
}

fn boot_head(scope: &Scope<'_, '_>, boot: &BootHistory<'_>, layout: &mut Layout) {
    match boot.id {
        Some(id) => layout.title(0, &format!("Boot {id}")),
        None => layout.title(0, "Unknown boot"),
    }
    if !boot.releases.is_empty() {
        fact(
            layout,
            "kernel",
            &format::list(&boot.releases, scope.limits),
        );
    }
    fact(layout, "flags", &mask(boot));
    let length = format::length(Period::new(boot.from, boot.to).length());
    let (from, to) = (format::clock(boot.from.time), format::clock(boot.to.time));
    fact(layout, "known", &format!("{from} to {to}, {length}"));
    if let Some(end) = end(boot) {
        fact(layout, "end", end);
    }
    let (changes, more) = scope.limits.first(&boot.clock_changes);
    for change in changes {
        fact(layout, "clock", &clock_change(change));
    }
    if more > 0 {
        fact(layout, "clock", &format::number(more, "more change"));
    }
}
