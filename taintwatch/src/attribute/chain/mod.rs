//! The evidence chain of a flag, from the device or task that asked for a module to the code that set the flag.
//!
//! In: an event, and the other events of its boot. Out: links, each a text with its evidence. Pure.

mod link_evidence;
mod link_text;
mod load;

use serde::Serialize;

use self::link_evidence::LinkEvidence;
use crate::event::{Cause, Class, Confidence, Event};
pub use load::with_load;

/// A link of the chain.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// `device`, `asked`, `task`, `file`, `module`, `code`, `flag`, `log`.
    pub kind: &'static str,
    pub text: String,
    /// How it is known.
    pub evidence: String,
}

/// The links in order; what is not known is left out.
#[must_use]
pub fn chain(event: &Event) -> Vec<Link> {
    let module = event.module.as_ref();
    let by = event.requested_by.as_ref();
    let cause = event.cause.as_ref();
    let evidence = LinkEvidence::of(event);
    let observed_load = cause.is_some_and(|cause| {
        cause.class == Class::ModuleLoad && cause.confidence == Confidence::Observed
    });
    let by_loader = "the module loader, which was loading it";
    let layers = cause
        .filter(|cause| cause.confidence == Confidence::Observed)
        .map(Cause::source_descriptions)
        .filter(|layers| !layers.is_empty());
    let links = [
        (
            "device",
            by.and_then(link_text::device),
            "the kernel's uevents and the module's own list of aliases",
        ),
        (
            "asked",
            by.and_then(link_text::asked),
            "the tracepoint module_request",
        ),
        (
            "task",
            event.task.as_ref().map(link_text::task),
            evidence.task,
        ),
        ("file", module.and_then(link_text::file), evidence.file),
        (
            "module",
            module.and_then(link_text::identity),
            if observed_load {
                by_loader
            } else {
                evidence.module
            },
        ),
        (
            "code",
            event
                .caller
                .as_ref()
                .map(|caller| link_text::code(caller, event)),
            evidence.code,
        ),
        (
            "flag",
            cause.map(|cause| cause.summary.clone()),
            layers.as_deref().unwrap_or(evidence.flag),
        ),
        ("log", link_text::log(event), "the kernel log"),
    ];
    let known = links
        .into_iter()
        .filter_map(|(kind, text, evidence)| Some((kind, text?, evidence)));
    known
        .map(|(kind, text, evidence)| Link {
            kind,
            text,
            evidence: evidence.to_owned(),
        })
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(super) fn event(kind: &str, ns: u64, more: &serde_json::Value) -> Event {
        let mut event = serde_json::json!({
            "schema": 1, "id": "x", "seq": 1, "kind": kind, "time": "2026-01-01T00:00:00Z", "boottime_ns": ns,
            "task": {"pid": 7, "tid": 7, "comm": "insmod", "cmdline": ["insmod", "m.ko"], "ancestors": [{"pid": 1, "comm": "init"}]},
        });
        let more = more.as_object().unwrap().clone();
        event.as_object_mut().unwrap().extend(more);
        serde_json::from_value(event).unwrap()
    }

    pub(super) fn flag() -> Event {
        event(
            "taint",
            1,
            &serde_json::json!({
                "taint": {"bit": 0, "count": 1}, "caller": "load_module+0x1",
                "module": {"name": "m", "path": "/m.ko", "source": "file"},
                "cause": {"class": "module_load", "summary": "s", "confidence": "observed", "sources": ["mask_watch", "taint_entry"]},
            }),
        )
    }

    #[test]
    fn the_chain_goes_from_the_task_to_the_flag() {
        let links = chain(&flag());
        let kinds: Vec<_> = links.iter().map(|link| link.kind).collect();
        assert_eq!(kinds, ["task", "file", "module", "code", "flag"]);
        assert!(links[0].text.contains("started by init (1)"));
        assert_eq!(
            links[4].evidence,
            "watchpoint on the mask, hook on add_taint"
        );
    }

    #[test]
    fn what_was_read_later_is_not_shown_as_observed() {
        let mut event = flag();
        event.cause.as_mut().unwrap().confidence = Confidence::Listed;
        let links = chain(&event);
        assert!(
            links
                .iter()
                .all(|link| !link.evidence.contains("was loading it")),
            "{links:?}"
        );
        let module = links.iter().find(|link| link.kind == "module").unwrap();
        assert!(module.evidence.contains("list of modules"), "{module:?}");
    }
}
