//! Modules that come, go, or hide, as the pipeline meets them.
//!
//! In: the stream as far as it has come, and the kernel's own lists. Out: the names of a module's functions, and the mark of one
//! that is in no list.

use super::Hooked;
use crate::{
    decode::{Record, decode, text},
    enrich,
    event::{Class, Event},
    kernel::kallsyms,
};

impl Hooked {
    /// Functions of a module, unless it is gone by the time they are read.
    pub(super) fn name_functions(&mut self, module: &str) {
        let symbols = kallsyms::of_module(module).unwrap_or_default();
        if !self.goes(module) {
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
        let name = event.module.as_ref().and_then(|module| module.name.clone());
        let Some(name) = name.filter(|name| enrich::modules::is_listed(name) == Some(false)) else {
            return;
        };
        if !self.goes(&name)
            && let Some(module) = &mut event.module
        {
            module.hidden = Some(true);
            if let Some(cause) = &mut event.cause {
                cause.summary = format!("{} (a hidden module: no list has it)", cause.summary);
            }
        }
    }

    /// Whether a record that is waiting says that the module went.
    fn goes(&mut self, module: &str) -> bool {
        while let Some(bytes) = self.ring.try_next() {
            self.ahead.push_back(bytes);
        }
        self.ahead.iter().any(|bytes| {
            matches!(decode(bytes), Ok(Record::ModuleFree(free)) if text(&free.name) == module)
        })
    }
}
