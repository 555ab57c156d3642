//! Events as structured journal entries, by journald's native protocol.
//!
//! In: an event. Out: one entry; each kind has a `MESSAGE_ID` of its own, so `journalctl MESSAGE_ID=…`
//! always finds it. A machine without a journal is no error.

use std::path::Path;

use libsystemd::{
    errors::SdError,
    logging::{Priority, journal_send},
};

pub use super::message_id::message_id;
use super::{catalog, event_line, json};
use crate::{
    event::{self, Event, Kind},
    intake::journal::EVENT,
};

const SOCKET: &str = "/run/systemd/journal/socket";

/// Whether this machine has a journal.
#[must_use]
pub fn is_there() -> bool {
    Path::new(SOCKET).exists()
}

/// Sends one event.
pub fn send(event: &Event) -> Result<(), SdError> {
    journal_send(
        priority(event),
        &event_line::message(event),
        fields(event).into_iter(),
    )
}

/// Machine checks, bad pages, oopses, and direct writes to the mask are worse than a marker.
fn priority(event: &Event) -> Priority {
    let bit = event.bit();
    let first = event
        .taint
        .as_ref()
        .and_then(|taint| taint.first)
        .unwrap_or(true);
    match (event.kind, bit) {
        (Kind::MaskWrite, _) | (Kind::Taint, Some(4 | 5 | 7)) => Priority::Error,
        (Kind::Taint, _) if first => Priority::Warning,
        (Kind::Lost, _) => Priority::Warning,
        (Kind::Taint | Kind::ModuleLoadFailed, _) => Priority::Notice,
        _ => Priority::Info,
    }
}

/// The entry's own fields; one that the event does not have is left out.
#[must_use]
pub fn fields(event: &Event) -> Vec<(&'static str, String)> {
    let taint = event.taint.as_ref();
    let cause = event.cause.as_ref();
    let module = event.module.as_ref();
    let fields = [
        ("MESSAGE_ID", Some(message_id(event.kind).to_owned())),
        ("SYSLOG_IDENTIFIER", Some("taintwatch".to_owned())),
        ("TAINTWATCH_EVENT_ID", Some(event.id.clone())),
        // Not yet in the history: it has no number.
        (
            "TAINTWATCH_SEQ",
            (event.seq > 0).then(|| event.seq.to_string()),
        ),
        ("TAINTWATCH_KIND", Some(event.kind.to_string())),
        (
            "TAINT_FLAG",
            taint.and_then(|taint| taint.letter).map(String::from),
        ),
        (
            "TAINT_BIT",
            taint.and_then(|taint| taint.bit).map(|bit| bit.to_string()),
        ),
        ("TAINT_NAME", taint.and_then(|taint| taint.name.clone())),
        (
            "TAINT_MASK_BEFORE",
            taint
                .and_then(|taint| taint.mask_before)
                .map(|mask| mask.to_string()),
        ),
        (
            "TAINT_MASK_AFTER",
            taint
                .and_then(|taint| taint.mask_after)
                .map(|mask| mask.to_string()),
        ),
        (
            "TAINT_MODULE",
            module.and_then(|module| module.name.clone()),
        ),
        (
            "TAINT_MODULE_VERSION",
            module.and_then(|module| module.version.clone()),
        ),
        (
            "TAINT_MODULE_LICENSE",
            module.and_then(|module| module.license.clone()),
        ),
        (
            "TAINT_MODULE_SIGNATURE",
            module.and_then(|module| module.signature.clone()),
        ),
        (
            "TAINT_MODULE_SIGNER",
            module.and_then(|module| module.signer.clone()),
        ),
        (
            "TAINT_MODULE_FILE",
            module.and_then(event::Module::path_and_namespace),
        ),
        (
            "TAINT_MODULE_SHA256",
            module.and_then(|module| module.sha256.clone()),
        ),
        (
            "TAINT_MODULE_BUILD_ID",
            module.and_then(|module| module.build_id.clone()),
        ),
        (
            "TAINT_ERRNO",
            module.and_then(|module| module.errno.clone()),
        ),
        ("TAINT_CAUSE", cause.map(|cause| word(&cause.class))),
        (
            "TAINT_CONFIDENCE",
            cause.map(|cause| cause.confidence.as_str().to_owned()),
        ),
        ("TAINT_CALLER", event.caller.clone()),
        ("TAINT_CONTEXT", event.context.map(|context| word(&context))),
        (
            "OBJECT_PID",
            event.task.as_ref().map(|task| task.pid.to_string()),
        ),
        (EVENT, whole(event)),
    ];
    let explained = catalog::fields(event);
    fields
        .into_iter()
        .chain(explained)
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

/// The event as `--json` prints it, so that `report --journal` has all of it.
fn whole(event: &Event) -> Option<String> {
    let mut line = Vec::new();
    json::line(event, &mut line).ok()?;
    let line = String::from_utf8(line).ok()?;
    Some(line.trim_end().to_owned())
}

/// The schema's own word for a value, so that the journal and the JSON never differ.
fn word(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
