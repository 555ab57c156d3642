//! The modules of a boot, each with what is known of it.
//!
//! In: the modules that an event that was asked for is of. Out: a list of fields for each.

use super::super::{
    fields::{Asked, module_fields},
    human::{self, DIM},
    layout::Layout,
};
use crate::history::Boot;

/// Prints the modules.
pub(super) fn print(asked: &Asked<'_, '_>, boot: &Boot<'_>, layout: &mut Layout) {
    let shown = boot
        .modules
        .iter()
        .filter(|module| asked.shows_any(&module.events));
    for (number, module) in shown.enumerate() {
        if number == 0 {
            layout.section(2, "Modules");
        }
        layout.marked(2, module.name, 0, human::BOLD, "");
        for (name, value) in module_fields(module) {
            layout.marked(4, name, 9, DIM, &value);
        }
        for hash in &module.hashes {
            layout.marked(4, "sha256", 7, DIM, hash);
        }
    }
}
