//! The modules of one boot that carry flags, each once.
//!
//! In: events of modules that a list names. Out: rows, one for all modules that carry the same flags.

use crate::{event::Event, output::escape::Escaped};

/// Modules that are kept; those beyond are counted.
const MOST: usize = 1024;
/// Modules of one row that are named.
const MOST_NAMED: usize = 64;

/// The modules, in the order of their first event.
#[derive(Debug, Default)]
pub(super) struct ListedModules {
    modules: Vec<Module>,
    more: u64,
}

#[derive(Debug)]
struct Module {
    name: String,
    flags: String,
    loaded: bool,
    time: String,
    /// How many rows stood before it.
    place: usize,
}

/// Modules that carry the same flags.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ListedRow {
    pub(super) place: usize,
    pub(super) time: String,
    pub(super) flags: String,
    pub(super) text: String,
}

impl ListedModules {
    /// Adds a flag of a module.
    pub(super) fn add(&mut self, event: &Event, flag: &str, time: &str, place: usize) {
        let name = event.module_name().unwrap_or_default();
        let loaded = event.module.as_ref().and_then(|module| module.loaded);
        let known = self.modules.iter_mut().find(|known| known.name == name);
        if let Some(known) = known {
            if !known.flags.contains(flag) {
                known.flags.push_str(flag);
            }
        } else if self.modules.len() < MOST {
            self.modules.push(Module {
                name: name.to_owned(),
                flags: flag.to_owned(),
                loaded: loaded.unwrap_or(true),
                time: time.to_owned(),
                place,
            });
        } else {
            self.more += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    pub(super) fn more(&self) -> u64 {
        self.more
    }

    pub(super) fn rows(&self) -> Vec<ListedRow> {
        let mut groups: Vec<(&Module, Vec<&str>)> = Vec::new();
        for module in &self.modules {
            let is_alike = |(first, _): &&mut (&Module, Vec<&str>)| {
                first.flags == module.flags && first.loaded == module.loaded
            };
            match groups.iter_mut().find(is_alike) {
                Some((_, names)) => names.push(&module.name),
                None => groups.push((module, vec![&module.name])),
            }
        }
        let row = |(first, names): (&Module, Vec<&str>)| ListedRow {
            place: first.place,
            time: first.time.clone(),
            flags: first.flags.clone(),
            text: text(first, &names),
        };
        groups.into_iter().map(row).collect()
    }
}

fn text(first: &Module, names: &[&str]) -> String {
    let (modules, carry, they) = match (names.len(), first.loaded) {
        (1, true) => ("module", "carries", "it was"),
        (1, false) => ("module", "carried", "it was"),
        (_, true) => ("modules", "carry", "they were"),
        (_, false) => ("modules", "carried", "they were"),
    };
    let what = if first.flags.chars().count() == 1 {
        "the flag"
    } else {
        "these flags"
    };
    let shown: Vec<_> = names
        .iter()
        .take(MOST_NAMED)
        .map(|name| Escaped(name).to_string())
        .collect();
    let more = names.len().saturating_sub(MOST_NAMED);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let gone = if first.loaded {
        String::new()
    } else {
        format!(" and {they} unloaded")
    };
    let shown = shown.join(", ");
    format!(
        "the {modules} {shown}{more} {carry} {what}{gone}; no line shows when {they} loaded (listed)"
    )
}
