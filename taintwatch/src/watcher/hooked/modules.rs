//! Modules that come, go, or hide, as the pipeline meets them.
//!
//! In: the stream as far as it has come, and the kernel's own lists. Out: the names of a module's functions, and the mark of one
//! that is in no list.

use taintwatch_common::kind;

use super::Hooked;
use crate::{
    enrich,
    event::{Class, Event, Hook},
    kernel::kallsyms,
    record::{Record, decode, text},
};

impl Hooked {
    /// Functions of a module, unless it is gone by the time they are read.
    pub(super) fn name_functions(&mut self, module: &str) {
        let symbols = kallsyms::of_module(module).unwrap_or_default();
        if !self.is_freed_soon(module) {
            self.attributor.addresses.name(module, &symbols);
        }
    }

    pub(super) fn know_loaded_modules(&mut self) {
        for (name, range) in enrich::modules::loaded_modules() {
            self.attributor.addresses.add(&name, range, None);
            self.name_functions(&name);
        }
    }

    /// Code that runs, of a module that is in no list and has not gone.
    pub(super) fn mark_hidden(&mut self, event: &mut Event) {
        let class = event.cause.as_ref().map(|cause| cause.class);
        if !matches!(class, Some(Class::ModuleCode | Class::DirectWrite)) {
            return;
        }
        let name = event.module_name().map(str::to_owned);
        let Some(name) = name.filter(|name| enrich::modules::is_listed(name) == Some(false)) else {
            return;
        };
        if !self.is_freed_soon(&name)
            && self.sees_modules_go()
            && let Some(module) = &mut event.module
        {
            module.hidden = Some(true);
            if let Some(cause) = &mut event.cause {
                cause.summary = format!("{} (a hidden module: no list has it)", cause.summary);
            }
        }
    }

    /// Whether no module can have gone without a record of it.
    fn sees_modules_go(&self) -> bool {
        let hook = |hook: &Hook| hook.layer == "module_free" && hook.mechanism.is_some();
        let lost = self.watch.counts.lost();
        let is_whole =
            |lost: [u64; kind::END as usize]| lost.get(usize::from(kind::MODULE_FREE)) == Some(&0);
        self.watch.hooks.iter().any(hook) && lost.is_ok_and(is_whole)
    }

    /// Whether a record that is waiting says that the module went.
    fn is_freed_soon(&mut self, module: &str) -> bool {
        while let Some(bytes) = self.ring.try_next() {
            self.lookahead.push_back(bytes);
        }
        self.lookahead.iter().any(|bytes| {
            matches!(decode(bytes), Ok(Record::ModuleFree(free)) if text(&free.name) == module)
        })
    }
}
