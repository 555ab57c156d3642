//! Modules that come, go, or hide.
//!
//! In: the stream as far as it has come, and the kernel's own lists. Out: the names of a module's functions, and the
//! mark of a module that is in no list.

use std::{
    thread,
    time::{Duration, Instant},
};

use taintwatch_common::{kind, stage};

use super::stream::{Coming, Source, Stream};
use crate::{
    attribute::addresses::Addresses,
    enrich,
    event::{Class, Event},
    kernel::kallsyms,
    probe::{hooks::MODULE_FREE, monitor::Monitor},
    record::{Record, text},
};

/// From a parameter's setter to the record of its module, at the most: setters are short.
const AWAITED: Duration = Duration::from_millis(200);

/// Names the functions of a module, unless it is gone by the time they are read.
pub(super) fn name_functions(stream: &mut Stream, addresses: &mut Addresses, module: &str) {
    // The kernel's list is long: for a module that is gone it is not read.
    if stream.frees_soon(module) {
        return;
    }
    let symbols = kallsyms::of_module(module).unwrap_or_default();
    name_unless_gone(stream, addresses, module, &symbols);
}

/// Finds out where the code of a module lies that a thread is loading, when code that runs in the load is none that is
/// known. Setters of a module's parameters run before the record of the module (`parse_args` before `trace_module_load`,
/// `load_module`, `kernel/module.c`, 5.10): that record is waited for a moment.
pub(super) fn await_coming(stream: &mut Stream, addresses: &mut Addresses, record: &Record) {
    let (task, loading, stack) = match record {
        Record::TaintEntry(entry) => (&entry.task, &entry.loading, &entry.stack),
        Record::MaskWrite(write) => (&write.task, &write.loading, &write.stack),
        _ => return,
    };
    if loading.stage != stage::UNFORMED {
        return;
    }
    let depth = usize::try_from(stack.depth).unwrap_or(usize::MAX);
    let mut frames = stack.frames.iter().take(depth);
    if frames.all(|address| addresses.resolve(address.wrapping_sub(1)).is_some()) {
        return;
    }
    let began = Instant::now();
    while began.elapsed() < AWAITED {
        match stream.comes_soon(task.tid) {
            Coming::Module(coming) => {
                addresses.coming(&coming);
                return name_functions(stream, addresses, &text(&coming.name));
            }
            Coming::No => return,
            Coming::NotYet => thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn name_unless_gone<S: Source>(
    stream: &mut Stream<S>,
    addresses: &mut Addresses,
    module: &str,
    symbols: &[(u64, String)],
) {
    if !stream.frees_soon(module) {
        addresses.name(module, symbols);
    }
}

/// Adds the modules that were loaded before the start; `with_names`: those of their functions as well. One whose record is
/// still to come was not loaded before that.
pub(super) fn add_loaded(stream: &mut Stream, addresses: &mut Addresses, with_names: bool) {
    let (coming, _) = stream.look_further();
    let loaded = enrich::modules::loaded_modules().into_iter();
    for (name, range) in loaded.filter(|(name, _)| !coming.contains(name)) {
        addresses.add_loaded(&name, range);
        if with_names {
            name_functions(stream, addresses, &name);
        }
    }
}

/// Marks an event of code whose module is in no list, though it was not freed.
pub(super) fn mark_hidden(event: &mut Event, stream: &mut Stream, monitor: &Monitor) {
    let is_listed = |name: &str| enrich::modules::is_listed(name);
    mark_unlisted(event, stream, is_listed, || sees_every_free(monitor));
}

fn mark_unlisted<S: Source>(
    event: &mut Event,
    stream: &mut Stream<S>,
    is_listed: impl FnOnce(&str) -> Option<bool>,
    sees_every_free: impl FnOnce() -> bool,
) {
    let class = event.cause.as_ref().map(|cause| cause.class);
    if !matches!(class, Some(Class::ModuleCode | Class::DirectWrite)) {
        return;
    }
    let name = event.module_name().map(str::to_owned);
    let Some(name) = name.filter(|name| is_listed(name) == Some(false)) else {
        return;
    };
    if !stream.frees_soon(&name)
        && sees_every_free()
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

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::{super::stream::tests::free_of, *};

    fn stream(frees: &[&str]) -> Stream<VecDeque<Vec<u8>>> {
        Stream::new(frees.iter().map(|name| free_of(name)).collect())
    }

    /// Whether code of `m` is marked as that of a hidden module.
    fn is_marked(class: &str, listed: Option<bool>, frees: &[&str], sees_every_free: bool) -> bool {
        let mut event = serde_json::from_value(serde_json::json!({
            "schema": 1, "id": "x", "seq": 1, "kind": "taint", "module": {"name": "m"},
            "cause": {"class": class, "summary": "it was m", "confidence": "observed", "sources": []},
        }))
        .unwrap();
        mark_unlisted(
            &mut event,
            &mut stream(frees),
            |_| listed,
            || sees_every_free,
        );
        let said = event.cause.unwrap().summary.contains("hidden");
        let marked = event.module.unwrap().hidden == Some(true);
        assert_eq!(said, marked);
        marked
    }

    #[test]
    fn a_module_is_hidden_only_where_nothing_else_explains_that_no_list_has_it() {
        for class in ["module_code", "direct_write"] {
            assert!(is_marked(class, Some(false), &["other"], true));
        }
        assert!(
            !is_marked("module_load", Some(false), &[], true),
            "it is not listed yet"
        );
        assert!(
            !is_marked("module_code", Some(true), &[], true),
            "it is listed"
        );
        assert!(
            !is_marked("module_code", None, &[], true),
            "the list cannot be read"
        );
        assert!(
            !is_marked("module_code", Some(false), &["m"], true),
            "it was freed since"
        );
        assert!(
            !is_marked("module_code", Some(false), &[], false),
            "it may have been freed"
        );
    }

    #[test]
    fn functions_of_a_module_that_was_freed_since_are_not_named() {
        let symbols = [(0x1000, "f".to_owned())];
        let resolved = |frees: &[&str]| {
            let mut addresses = Addresses::default();
            addresses.add("m", 0x1000..0x2000, None);
            name_unless_gone(&mut stream(frees), &mut addresses, "m", &symbols);
            addresses.resolve(0x1004).unwrap().to_string()
        };
        assert_eq!(resolved(&["other"]), "f+0x4 [m]");
        assert!(
            !resolved(&["m"]).contains('f'),
            "another module may lie there by now"
        );
    }
}
