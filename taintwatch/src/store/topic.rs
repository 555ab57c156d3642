//! What many events have in common: their flag, cause, module, task's name. Filters ask for it, and it is stored once.
//!
//! In: an event. Out: its topic, and whether its events are few and matter one by one. From a topic: what filters ask for.

use serde::{Deserialize, Serialize};

use crate::event::{Confidence, CoverageState, Event, Kind, Module, Source, Taint, Time};

/// Stand in a sentence where the number of the process and the code stood.
const PID: char = '\u{1}';
const CALLER: char = '\u{2}';

/// The topic of an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Topic {
    /// What all its events have, as JSON.
    pub(super) head: String,
    pub(super) kind: Kind,
    pub(super) bit: Option<u32>,
    /// Each of its events matters by itself: a first setting, a change of the coverage, a loss, a write to the mask.
    /// What is no landmark is a load, an unload or a repeat.
    pub(super) is_landmark: bool,
    /// Found later than it happened.
    pub(super) is_import: bool,
}

impl Topic {
    /// `shows_more`: one of its masks has a bit that no event of its boot showed before.
    pub(super) fn of(event: &Event, shows_more: bool) -> serde_json::Result<Self> {
        let is_import = is_import(event);
        Ok(Self {
            head: serde_json::to_string(&head(event))?,
            kind: event.kind,
            bit: event.bit(),
            is_landmark: shows_more || is_import || is_landmark(event),
            is_import,
        })
    }
}

fn is_landmark(event: &Event) -> bool {
    let taint = event.taint.as_ref();
    let cause = event.cause.as_ref();
    let is_sure = cause.is_none_or(|cause| cause.confidence <= Confidence::Logged);
    match event.kind {
        Kind::Taint => !is_sure || taint.and_then(|taint| taint.first) != Some(false),
        Kind::ModuleLoad | Kind::ModuleLoadFailed | Kind::ModuleUnload => false,
        Kind::MaskWrite | Kind::Coverage | Kind::Lost => true,
    }
}

/// Its place in the sequence shows nothing of its time.
fn is_import(event: &Event) -> bool {
    let sources = event.cause.iter().flat_map(|cause| &cause.sources);
    let by_later = |source: &Source| matches!(source, Source::Crash | Source::Baseline);
    sources.into_iter().any(by_later)
}

/// What the events of a topic have in common; the keys are short, for there may be many topics.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Head {
    #[serde(rename = "l", skip_serializing_if = "Option::is_none")]
    letter: Option<char>,
    #[serde(rename = "n", skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(rename = "s", skip_serializing_if = "Option::is_none")]
    bits_set: Option<Vec<u32>>,
    #[serde(rename = "c", skip_serializing_if = "Option::is_none")]
    bits_cleared: Option<Vec<u32>>,
    #[serde(rename = "m", skip_serializing_if = "Option::is_none")]
    module: Option<String>,
    #[serde(rename = "t", skip_serializing_if = "Option::is_none")]
    comm: Option<String>,
    #[serde(rename = "a", skip_serializing_if = "Option::is_none")]
    caller: Option<String>,
    #[serde(rename = "f", skip_serializing_if = "Option::is_none")]
    confidence: Option<Confidence>,
    #[serde(rename = "e", skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    #[serde(rename = "w", skip_serializing_if = "Option::is_none")]
    state: Option<CoverageState>,
    /// Where it is there at all, all of it may be absent.
    #[serde(rename = "x", skip_serializing_if = "std::ops::Not::not")]
    has_taint: bool,
}

/// The event of a head, with all that filters ask for but its time.
pub(super) fn event_of(head: &str, kind: &str, bit: Option<u32>) -> Option<Event> {
    let head: Head = serde_json::from_str(head).ok()?;
    let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind)?;
    let mut event = Event::blank(String::new(), kind, Time::unknown());
    event.taint = head.has_taint.then(|| Taint {
        bit,
        letter: head.letter,
        name: head.name,
        bits_set: head.bits_set,
        bits_cleared: head.bits_cleared,
        ..Taint::default()
    });
    event.module = head.module.map(|name| Module {
        name: Some(name),
        ..Module::default()
    });
    Some(event)
}

fn head(event: &Event) -> Head {
    let taint = event.taint.as_ref();
    let cause = event.cause.as_ref();
    Head {
        letter: taint.and_then(|taint| taint.letter),
        name: taint.and_then(|taint| taint.name.clone()),
        bits_set: taint.and_then(|taint| taint.bits_set.clone()),
        bits_cleared: taint.and_then(|taint| taint.bits_cleared.clone()),
        module: event.module_name().map(str::to_owned),
        comm: event.task.as_ref().map(|task| task.comm.clone()),
        caller: event.caller.clone(),
        confidence: cause.map(|cause| cause.confidence),
        summary: cause.map(|cause| short(&cause.summary, event)),
        state: event.coverage.as_ref().map(|coverage| coverage.state),
        has_taint: taint.is_some(),
    }
}

/// The sentence without what stands beside it; the view puts it in again.
fn short(summary: &str, event: &Event) -> String {
    let mut summary = summary.replace([PID, CALLER], "\u{fffd}");
    if let Some(task) = &event.task {
        let pid = task.pid;
        summary = summary.replace(&format!("(pid {pid})"), &format!("(pid {PID})"));
    }
    match event.caller.as_deref() {
        Some(caller) if !caller.is_empty() && !caller.contains([PID, CALLER]) => {
            summary.replacen(caller, &CALLER.to_string(), 1)
        }
        _ => summary,
    }
}
