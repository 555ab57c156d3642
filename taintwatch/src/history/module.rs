//! The modules of a boot, by its events.
//!
//! In: the boot's events in order. Out: a module each, in the order of the first event, with what is known of its
//! identity and from when to when it was loaded. Nothing is filled in: an end without an event is open.

use std::collections::HashMap;

use super::flag::count;
use crate::{
    coverage::Stamp,
    event::{self, Class, Confidence, Event, Kind},
    store::Omitted,
};

/// A module in one boot.
#[derive(Debug)]
pub struct Module<'a> {
    pub name: &'a str,
    /// Every value that events have, each once; more than one is another file under the same name.
    pub versions: Vec<&'a str>,
    pub srcversions: Vec<&'a str>,
    pub build_ids: Vec<&'a str>,
    pub hashes: Vec<&'a str>,
    /// One in another mount namespace says so.
    pub paths: Vec<String>,
    pub licenses: Vec<&'a str>,
    pub signers: Vec<&'a str>,
    /// A file of it had no signature.
    pub unsigned: bool,
    /// Its own flags, as letters.
    pub taints: String,
    pub hidden: bool,
    /// The flags that it set, with how often.
    pub set: Vec<(u32, Option<char>, u64)>,
    pub spans: Vec<Span>,
    pub failed: Vec<&'a Event>,
    pub events: Vec<&'a Event>,
}

/// A time that it was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Absent: before the record begins.
    pub from: Option<Stamp>,
    /// Absent: no unload is recorded.
    pub to: Option<Stamp>,
}

pub(super) fn of<'a>(events: &[&'a Event], omitted: &Omitted) -> Vec<Module<'a>> {
    let mut modules: Vec<Module<'a>> = Vec::new();
    let mut known = HashMap::new();
    for event in events {
        let Some((name, recorded)) = named(event) else {
            continue;
        };
        let index = *known.entry(name).or_insert_with(|| {
            modules.push(Module::new(name));
            modules.len() - 1
        });
        if let Some(module) = modules.get_mut(index) {
            module.take(
                event,
                recorded,
                count(event).saturating_add(omitted.occurrences(event)),
            );
        }
    }
    for module in &mut modules {
        module.was_there();
    }
    modules
}

fn named(event: &Event) -> Option<(&str, &event::Module)> {
    let module = event.module.as_ref()?;
    Some((module.name.as_deref()?, module))
}

impl<'a> Module<'a> {
    /// It has flags, set one, failed to load, or is hidden.
    #[must_use]
    pub fn is_notable(&self) -> bool {
        !self.taints.is_empty() || !self.set.is_empty() || !self.failed.is_empty() || self.hidden
    }

    fn new(name: &'a str) -> Self {
        Self {
            name,
            versions: Vec::new(),
            srcversions: Vec::new(),
            build_ids: Vec::new(),
            hashes: Vec::new(),
            paths: Vec::new(),
            licenses: Vec::new(),
            signers: Vec::new(),
            unsigned: false,
            taints: String::new(),
            hidden: false,
            set: Vec::new(),
            spans: Vec::new(),
            failed: Vec::new(),
            events: Vec::new(),
        }
    }

    fn take(&mut self, event: &'a Event, recorded: &'a event::Module, count: u64) {
        for (all, one) in [
            (&mut self.versions, &recorded.version),
            (&mut self.srcversions, &recorded.srcversion),
            (&mut self.build_ids, &recorded.build_id),
            (&mut self.hashes, &recorded.sha256),
            (&mut self.licenses, &recorded.license),
            (&mut self.signers, &recorded.signer),
        ] {
            let new = one.as_deref().filter(|one| !all.contains(one));
            all.extend(new);
        }
        let path = recorded.path_and_namespace();
        let new = path.filter(|path| !self.paths.contains(path));
        self.paths.extend(new);
        self.unsigned |= recorded.signature.as_deref() == Some("none");
        self.hidden |= recorded.hidden == Some(true);
        let letters = recorded.taints.as_deref().unwrap_or_default().chars();
        for letter in letters {
            if !self.taints.contains(letter) {
                self.taints.push(letter);
            }
        }
        self.set(event, count);
        self.span(event);
        self.events.push(event);
    }

    fn set(&mut self, event: &Event, count: u64) {
        let taint = event.taint.as_ref().filter(|_| event.kind == Kind::Taint);
        let Some((bit, letter)) = taint.and_then(|taint| Some((taint.bit?, taint.letter))) else {
            return;
        };
        match self.set.iter_mut().find(|(known, ..)| *known == bit) {
            Some((.., times)) => *times = times.saturating_add(count),
            None => self.set.push((bit, letter, count)),
        }
    }

    fn span(&mut self, event: &'a Event) {
        let at = Some(Stamp::of(event));
        let cause = event.cause.as_ref();
        let is_listed = cause.is_some_and(|cause| cause.confidence == Confidence::Listed);
        let open = self.spans.last_mut().filter(|span| span.to.is_none());
        match (event.kind, open) {
            // Two loads in a row: the unload in between was not seen, and nothing says when it was.
            (Kind::ModuleLoad, _) => self.spans.push(Span { from: at, to: None }),
            (Kind::ModuleUnload, Some(open)) => open.to = at,
            (Kind::ModuleUnload, None) => self.spans.push(Span { from: None, to: at }),
            (Kind::ModuleLoadFailed, _) => self.failed.push(event),
            (_, None) if is_listed => self.spans.push(Span {
                from: None,
                to: None,
            }),
            _ => {}
        }
    }

    /// Its code ran, though no load was recorded: it was loaded. Its init function alone does not show that.
    fn was_there(&mut self) {
        let ran = |event: &&Event| {
            let cause = event.cause.as_ref();
            cause.is_some_and(|cause| cause.class == Class::ModuleCode)
        };
        if self.spans.is_empty() && self.failed.is_empty() && self.events.iter().any(ran) {
            self.spans.push(Span {
                from: None,
                to: None,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An event of the module `m` at so many seconds of the boot.
    fn event(kind: &str, second: u64, more: &serde_json::Value) -> Event {
        let mut event = serde_json::json!({
            "schema": 1, "id": "x", "seq": 1, "kind": kind, "time": "2026-01-01T00:00:00Z",
            "boottime_ns": second, "module": {"name": "m"},
        });
        let more = more.as_object().unwrap().clone();
        event.as_object_mut().unwrap().extend(more);
        serde_json::from_value(event).unwrap()
    }

    fn with<T>(events: &[Event], look: impl FnOnce(&Module<'_>) -> T) -> T {
        let events: Vec<_> = events.iter().collect();
        let modules = of(&events, &Omitted::default());
        assert_eq!(modules.len(), 1, "{modules:?}");
        look(&modules[0])
    }

    /// From when to when it was loaded.
    fn spans(events: &[Event]) -> Vec<(Option<u64>, Option<u64>)> {
        let ns = |stamp: Option<Stamp>| stamp.and_then(|stamp| stamp.boottime_ns);
        with(events, |module| {
            let spans = module.spans.iter();
            spans.map(|span| (ns(span.from), ns(span.to))).collect()
        })
    }

    fn plain(kind: &str, second: u64) -> Event {
        event(kind, second, &serde_json::json!({}))
    }

    fn caused(class: &str, confidence: &str) -> Event {
        let cause = serde_json::json!({
            "class": class, "summary": "s", "confidence": confidence, "sources": [],
        });
        event("taint", 5, &serde_json::json!({"cause": cause}))
    }

    #[test]
    fn what_is_worth_a_line_has_flags_set_one_failed_or_hides() {
        fn is_notable(event: Event) -> bool {
            let mut is = false;
            with(&[event], |module| is = module.is_notable());
            is
        }
        let of_module = |module| event("module_load", 1, &serde_json::json!({"module": module}));
        assert!(!is_notable(plain("module_load", 1)));
        assert!(is_notable(of_module(
            serde_json::json!({"name": "m", "taints": "O"})
        )));
        assert!(is_notable(of_module(
            serde_json::json!({"name": "m", "hidden": true})
        )));
        assert!(is_notable(plain("module_load_failed", 1)));
        let taint = serde_json::json!({"taint": {"bit": 9, "letter": "W", "count": 2}});
        assert!(is_notable(event("taint", 1, &taint)));
    }

    #[test]
    fn a_module_without_a_signature_stays_one() {
        let signed = |signature| {
            let module = serde_json::json!({"name": "m", "signature": signature});
            event("module_load", 1, &serde_json::json!({"module": module}))
        };
        let unsigned = |events: &[Event]| with(events, |module| module.unsigned);
        assert!(unsigned(&[signed("none"), signed("appended")]));
        assert!(unsigned(&[signed("appended"), signed("none")]));
        assert!(!unsigned(&[signed("appended")]));
    }

    #[test]
    fn a_module_was_loaded_from_its_load_to_its_unload() {
        let both = [plain("module_load", 1), plain("module_unload", 2)];
        assert_eq!(spans(&both), [(Some(1), Some(2))]);
        assert_eq!(spans(&[plain("module_unload", 2)]), [(None, Some(2))]);
        assert_eq!(spans(&[plain("module_load_failed", 2)]), []);
        let listed = caused("module_load", "listed");
        assert_eq!(spans(&[listed]), [(None, None)]);
    }

    #[test]
    fn code_that_ran_shows_that_its_module_was_loaded() {
        let ran = || caused("module_code", "observed");
        assert_eq!(spans(&[ran()]), [(None, None)]);
        assert_eq!(spans(&[caused("module_load", "observed")]), []);
        assert_eq!(spans(&[plain("module_load", 1), ran()]), [(Some(1), None)]);
        // Its init function ran, and failed.
        assert_eq!(spans(&[ran(), plain("module_load_failed", 9)]), []);
    }
}
