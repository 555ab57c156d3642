//! The modules of a boot, each with what is known of it.
//!
//! In: the modules that an event that was asked for is of. Out: a list of facts for each.

use super::super::{
    facts::{Asked, module_facts},
    human::{self, DIM},
    paper::Paper,
};
use crate::history::Boot;

/// Prints the modules.
pub(super) fn print(asked: &Asked<'_, '_>, boot: &Boot<'_>, paper: &mut Paper) {
    let shown = boot
        .modules
        .iter()
        .filter(|module| asked.shows_any(&module.events));
    for (number, module) in shown.enumerate() {
        if number == 0 {
            paper.section(2, "Modules");
        }
        paper.marked(2, module.name, 0, human::BOLD, "");
        for (name, value) in module_facts(module) {
            paper.marked(4, name, 9, DIM, &value);
        }
        for hash in &module.hashes {
            paper.marked(4, "sha256", 7, DIM, hash);
        }
    }
}
