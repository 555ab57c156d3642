//! The modules of a boot, each with what is known of it.
//!
//! In: the modules that an event of the report is about. Out: a list of fields for each.

use super::super::{
    fields::module_fields,
    format,
    layout::Layout,
    scope::Scope,
    style::{BOLD, DIM},
};
use crate::history::{BootHistory, Module};

/// Prints the modules; those without flags give way where there are too many.
pub(super) fn print(scope: &Scope<'_, '_>, boot: &BootHistory<'_>, layout: &mut Layout) {
    let all = boot.modules.iter();
    let all = all.filter(|module| scope.shows_any(&module.events));
    let mut all: Vec<_> = all.collect();
    let most = scope.share(scope.limits.modules);
    let more = all.len().saturating_sub(most);
    if more > 0 {
        all.sort_by_key(|module| !module.is_notable());
        all.truncate(most);
    }
    for (number, module) in all.into_iter().enumerate() {
        if number == 0 {
            layout.section(2, "Modules");
        }
        print_one(scope, module, layout);
    }
    if more > 0 {
        let more = format::number(more, "more module");
        layout.indented(
            2,
            &format!("and {more}: `--module NAME` shows one, `--full` all"),
        );
    }
}

fn print_one(scope: &Scope<'_, '_>, module: &Module<'_>, layout: &mut Layout) {
    layout.marked(2, module.name, 0, BOLD, "");
    for (name, value) in module_fields(module, scope.limits) {
        layout.marked(4, name, 9, DIM, &value);
    }
    let (hashes, more) = scope.limits.first(&module.hashes);
    for hash in hashes {
        layout.marked(4, "sha256", 7, DIM, hash);
    }
    if more > 0 {
        layout.marked(4, "sha256", 7, DIM, &format!("and {more} more"));
    }
}
