//! One entry of the timeline: a line that opens to everything that is known.

use maud::{Markup, html};

use super::{
    filter::{bits, module_of},
    text, time,
};
use crate::{
    event::{Event, Kind, Module, RequestedBy, Task},
    history::{Entry, count},
    output::{
        event_line,
        fields::{HIDDEN, evidence},
        format,
    },
};

/// Times of repeats that are listed; their number is printed in any case.
const REPEATS: usize = 50;
/// Lines of a stack or of the log that are on the page; the first ones say most.
const LINES: usize = 60;

pub(super) fn entry(entry: &Entry<'_>) -> Markup {
    let event = entry.event;
    let confidence = event.cause.as_ref().map(|cause| cause.confidence.as_str());
    html! {
        details.event.key[is_key(event)] id={ "e" (event.seq) } data-event=(event.seq) data-kind=(event.kind)
            data-bits=(bits(event)) data-module=(text(module_of(event))) data-confidence=[confidence] {
            summary {
                (time(event.time, &format::time_of_day(event.time)))
                (mark(entry))
                span.sentence {
                    (text(&event_line::sentence(event)))
                    @if let Some(last) = entry.again.last() {
                        span.also { "; the last at " (time(last.time, &format::time_of_day(last.time))) }
                    }
                }
                @if let Some(confidence) = confidence {
                    span class={ "known " (confidence) } { (confidence) }
                }
            }
            div.evidence {
                dl {
                    @for (name, value) in evidence(event) {
                        @if name != "log" { (fact(name, &value)) }
                    }
                    @if let Some(by) = &event.requested_by { (devices(by)) }
                    @if let Some(module) = &event.module { (module_fields(module)) }
                    @if let Some(task) = &event.task { (task_facts(task)) }
                    (other_fields(event))
                }
                @if !event.stack.is_empty() { (lines("Call stack", &event.stack)) }
                @if !event.log.is_empty() { (lines("Kernel log", &event.log)) }
                @if !entry.again.is_empty() { (repeats(entry)) }
            }
        }
    }
}

/// It set a flag, or wrote the mask past the kernel's functions.
fn is_key(event: &Event) -> bool {
    let taint = event.taint.as_ref();
    let first = taint.and_then(|taint| taint.first) != Some(false);
    matches!(event.kind, Kind::Taint | Kind::MaskWrite) && first
}

/// The flag's letter, or what happened instead, in the colour that it has in the drawing.
fn mark(entry: &Entry<'_>) -> Markup {
    let event = entry.event;
    let class = match event.kind {
        Kind::Taint if event.taint.as_ref().and_then(|taint| taint.first) == Some(false) => "again",
        Kind::Taint | Kind::MaskWrite => "first",
        Kind::Lost | Kind::ModuleLoadFailed => "bad",
        Kind::ModuleLoad | Kind::ModuleUnload | Kind::Coverage => "plain",
    };
    let (_, mark) = event_line::mark(event, entry.count());
    html! { span class={ "mark " (class) } { (text(&mark)) } }
}

fn fact(name: &str, value: &str) -> Markup {
    html! { dt { (text(name)) } dd { (text(value)) } }
}

fn devices(by: &RequestedBy) -> Markup {
    html! { @for device in &by.devices { (fact("device", device)) } }
}

fn module_fields(module: &Module) -> Markup {
    let hidden = module.hidden.filter(|hidden| *hidden);
    let hidden = hidden.map(|_| HIDDEN.to_owned());
    let attempt = module.attempt.map(|attempt| attempt.to_string());
    let namespace = module.mount_namespace.map(|number| number.to_string());
    let fields = [
        ("module", &module.name),
        ("version", &module.version),
        ("its flags", &module.taints),
        ("licence", &module.license),
        ("signature", &module.signature),
        ("signed by", &module.signer),
        ("file", &module.path),
        ("in the mount namespace", &namespace),
        ("from", &module.source),
        ("file state", &module.file_state),
        ("may be", &module.candidate),
        ("sha256", &module.sha256),
        ("srcversion", &module.srcversion),
        ("build id", &module.build_id),
        ("attempt", &attempt),
        ("error", &module.errno),
        ("hidden", &hidden),
    ];
    html! {
        @for (name, value) in fields {
            @if let Some(value) = value { (fact(name, value)) }
        }
    }
}

fn task_facts(task: &Task) -> Markup {
    html! {
        @if let Some(exe) = &task.exe { (fact("program", exe)) }
        @if let Some(number) = task.mount_namespace { (fact("in the mount namespace", &number.to_string())) }
        @if let Some(cgroup) = &task.cgroup { (fact("cgroup", cgroup)) }
    }
}

fn other_fields(event: &Event) -> Markup {
    let context = event
        .context
        .map(|context| format!("{context:?}").to_lowercase());
    let coverage = event.coverage.as_ref();
    html! {
        @if let Some(reason) = coverage.map(|it| it.reason.trim()).filter(|it| it.contains('\n')) { (fact("reason", reason)) }
        @if let Some(context) = context { (fact("context", &context)) }
        @if let Some(cpu) = event.cpu { (fact("cpu", &cpu.to_string())) }
        @if let Some(release) = coverage.and_then(|coverage| coverage.release.as_ref()) { (fact("kernel", release)) }
        @if let Some(tested) = coverage.and_then(|coverage| coverage.self_test.as_ref()) { (fact("self-test", tested)) }
        @for hook in coverage.map(|coverage| coverage.hooks.as_slice()).unwrap_or_default() {
            @let mechanism = hook.mechanism.as_deref().unwrap_or("not attached");
            @let reason = hook.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            (fact(&hook.layer, &format!("{mechanism}{reason}")))
        }
        dt { "time" } dd { (event.time) }
        @if let Some(at) = event.boottime_ns {
            (fact("after boot", &format::length(jiff::SignedDuration::from_nanos(i64::try_from(at).unwrap_or(i64::MAX)))))
        }
        dt { "event" } dd { (event.seq) ", " code { (text(&event.id)) } }
    }
}

fn lines(title: &str, lines: &[String]) -> Markup {
    html! {
        h5 { (title) }
        pre tabindex="0" {
            @for line in lines.iter().take(LINES) { (text(line)) "\n" }
            @if lines.len() > LINES { "… " (lines.len() - LINES) " more lines\n" }
        }
    }
}

fn repeats(entry: &Entry<'_>) -> Markup {
    html! {
        h5 { "Again" }
        ul.again {
            @for event in entry.again.iter().take(REPEATS) {
                li { (time(event.time, &format::time_of_day(event.time))) @if count(event) > 1 { " ×" (count(event)) } }
            }
            @if entry.again.len() > REPEATS {
                li { "and " (entry.again.len() - REPEATS) " more events until " (format::clock(entry.again.last().unwrap_or(&entry.event).time)) }
            }
        }
    }
}
