//! Modules that come, go, or hide.
//!
//! In: the stream as far as it has come, and the kernel's own lists. Out: the names of a module's functions, and the
//! mark of a module that is in no list.

use taintwatch_common::kind;

use super::stream::Stream;
use crate::{
    attribute::addresses::Addresses,
    enrich,
    event::{Class, Event},
    kernel::kallsyms,
    probe::{hooks::MODULE_FREE, monitor::Monitor},
};

/// Names the functions of a module, unless it is gone by the time they are read.
pub(super) fn name_functions(stream: &mut Stream, addresses: &mut Addresses, module: &str) {
    let symbols = kallsyms::of_module(module).unwrap_or_default();
    if !stream.frees_soon(module) {
        addresses.name(module, &symbols);
    }
}

/// Adds the modules that were loaded before the start; `with_names`: those of their functions as well.
pub(super) fn add_loaded(stream: &mut Stream, addresses: &mut Addresses, with_names: bool) {
    for (name, range) in enrich::modules::loaded_modules() {
        addresses.add_loaded(&name, range);
        if with_names {
            name_functions(stream, addresses, &name);
        }
    }
}

/// Marks an event of code whose module is in no list, though it was not freed.
pub(super) fn mark_hidden(event: &mut Event, stream: &mut Stream, monitor: &Monitor) {
    let class = event.cause.as_ref().map(|cause| cause.class);
    if !matches!(class, Some(Class::ModuleCode | Class::DirectWrite)) {
        return;
    }
    let name = event.module_name().map(str::to_owned);
    let Some(name) = name.filter(|name| enrich::modules::is_listed(name) == Some(false)) else {
        return;
    };
    if !stream.frees_soon(&name)
        && sees_every_free(monitor)
        && let Some(module) = &mut event.module
    {
        module.hidden = Some(true);
        if let Some(cause) = &mut event.cause {
            cause.summary = format!("{} (a hidden module: no list has it)", cause.summary);
        }
    }
}

/// Whether no module can have been freed without a record of it.
fn sees_every_free(monitor: &Monitor) -> bool {
    let lost = monitor.counts.lost();
    let none_lost =
        |lost: [u64; kind::END as usize]| lost.get(usize::from(kind::MODULE_FREE)) == Some(&0);
    monitor.has(MODULE_FREE) && lost.is_ok_and(none_lost)
}
