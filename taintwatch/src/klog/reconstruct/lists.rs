//! The lists of modules in findings that are decided together.
//!
//! In: the findings, and which flags lines of the loader show. Out: modules that carry flags, in the order of their loading,
//! and whether they were loaded before those lines. The loader prints a line for the first module of each flag alone
//! (`module_augment_kernel_taints`, `kernel/module/main.c`): another that carries the flag came later, and one that does
//! not came before.

use std::collections::HashSet;

use super::held::Open;
use crate::{
    event::Mask,
    klog::{Finding, Listed},
    taint::{
        flags::bit,
        log::{Printer, live_patching},
    },
};

/// When a module was loaded, against the lines that are decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Before,
    /// A line of these is its own.
    Then,
    Later,
}

#[derive(Debug)]
pub(super) struct Lists {
    findings: Vec<Finding>,
    /// Modules that lines of the loader name.
    named: HashSet<String>,
    /// The flags of those lines.
    flags: Mask,
    /// Modules and flags that have a line of their own.
    lines: HashSet<(String, u32)>,
}

impl Lists {
    pub(super) fn of(open: &[Open], state: Option<&Finding>) -> Self {
        let by_loader = || {
            open.iter().flat_map(|open| {
                let loader = |claim: &&super::claims::Claim| claim.line.printer == Printer::Loader;
                open.claims
                    .iter()
                    .filter(loader)
                    .map(move |claim| (open, claim))
            })
        };
        // A framework's line comes when the patch has been loaded.
        let is_of_load = |open: &Open| {
            let line = open.held.finding.lines.first();
            line.is_none_or(|line| live_patching(line).is_none())
        };
        let of_loads = || by_loader().filter(|(open, _)| is_of_load(open));
        Self {
            named: of_loads()
                .filter_map(|(_, claim)| claim.line.module.clone())
                .collect(),
            flags: of_loads().fold(Mask(0), |all, (_, claim)| all.with(claim.bit())),
            lines: by_loader()
                .filter_map(|(_, claim)| Some((claim.line.module.clone()?, claim.bit())))
                .collect(),
            findings: open
                .iter()
                .filter(|open| !open.held.state_taken)
                .map(|open| &open.held.finding)
                .chain(state)
                .filter(|finding| !finding.facts.modules.is_empty())
                .cloned()
                .collect(),
        }
    }

    fn when(&self, module: &Listed) -> When {
        if self.named.contains(&module.name) {
            When::Then
        } else if module.flags.0 & self.flags.0 == 0 {
            When::Before
        } else {
            When::Later
        }
    }

    /// Whether a line shows this flag of this module.
    pub(super) fn has_line(&self, module: &str, bit: u32) -> bool {
        self.lines.contains(&(module.to_owned(), bit))
    }

    /// The modules of that time, in the order of their loading.
    pub(super) fn modules(&self, when: When) -> impl Iterator<Item = (&Finding, &Listed)> {
        let all = self.findings.iter().flat_map(|finding| {
            let modules = in_order_of_loading(&finding.facts.modules);
            modules.map(move |module| (finding, module))
        });
        all.filter(move |(_, module)| self.when(module) == when)
    }

    pub(super) fn of_module(&self, name: &str) -> impl Iterator<Item = (&Finding, &Listed)> {
        self.modules(When::Then)
            .filter(move |(_, module)| module.name == name)
    }

    /// The flags of modules that were not loaded before.
    pub(super) fn later(&self) -> Mask {
        let modules = self.modules(When::Later).chain(self.modules(When::Then));
        modules.fold(Mask(0), |all, (_, module)| Mask(all.0 | module.flags.0))
    }
}

/// `print_modules` (`kernel/module/main.c`) begins with the module that was loaded last; those that are gone come last.
fn in_order_of_loading(modules: &[Listed]) -> impl Iterator<Item = &Listed> {
    let loaded = modules.iter().rev().filter(|module| module.loaded);
    loaded.chain(modules.iter().filter(|module| !module.loaded))
}

/// The order in which one load sets flags (`module_augment_kernel_taints`, 6.4 to 7.3; `check_modinfo` and `load_module`
/// before).
pub(super) fn order_in_load(flag: u32) -> usize {
    const ORDER: [u32; 7] = [
        bit::FORCED_MODULE,
        bit::OOT_MODULE,
        bit::CRAP,
        bit::LIVEPATCH,
        bit::PROPRIETARY_MODULE,
        bit::TEST,
        bit::UNSIGNED_MODULE,
    ];
    let place = ORDER.iter().position(|of| *of == flag);
    place.unwrap_or(ORDER.len())
}
