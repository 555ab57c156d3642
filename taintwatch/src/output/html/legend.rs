//! What the words, the marks and the bars of the page mean.
//!
//! In: the events of the report. Out: a short line below each drawing, and a section at the end.

use maud::{Markup, html};

use super::axis::Axis;
use crate::{
    event::{Confidence, Source},
    output::{format, scope::Scope},
};

/// The marks and the scale of one drawing.
pub(super) fn below(axis: &Axis) -> Markup {
    html! {
        p.note.key-line {
            span { (symbol(&first(Confidence::Observed))) "set first" }
            span { (symbol(&again())) "set again" }
            span { (symbol(&cross())) "cleared, or a load failed" }
            a href="#legend" { "legend" }
            @if axis.break_at().is_some() {
                span.scale { "Two scales: the first 2 minutes take the first quarter of the width, up to the dashed line." }
            }
        }
    }
}

/// The whole legend.
pub(super) fn section(scope: &Scope<'_, '_>) -> Markup {
    let confidences = [
        Confidence::Observed,
        Confidence::Logged,
        Confidence::Listed,
        Confidence::Unattributed,
    ];
    let bars = [
        (
            "full",
            "monitored",
            "every layer was in place: what is not recorded did not happen",
        ),
        (
            "part",
            "in part",
            "a layer was missing: some changes may not be recorded",
        ),
        (
            "gap",
            "not monitored",
            "a coverage gap: more may have happened than is recorded",
        ),
    ];
    html! {
        section #legend aria-labelledby="legend-title" {
            h2 #legend-title { "Legend" }
            dl.legend {
                @for confidence in confidences {
                    dt { (symbol(&first(confidence))) span class={ "known " (confidence.as_str()) } { (confidence.as_str()) } }
                    dd { (format::meaning(confidence)) }
                }
                dt { (symbol(&again())) "W +3" }
                dd { "flag W was set already, and was set 3 times more; the higher the bar, the more often; close repeats share a bar" }
                dt { (symbol(&cross())) "cleared" }
                dd { "the flag was cleared, which only a direct write to the mask does; on a module's lane: a load that failed" }
                @for (class, word, meaning) in bars {
                    dt { svg width="20" height="20" aria-hidden="true" { rect class={ "bar " (class) } x="1" y="4" width="18" height="12" rx="2" {} } (word) }
                    dd { (meaning) }
                }
            }
            p { "Evidence in this history: " (sources(scope).join(", ")) "." }
        }
    }
}

/// Every source of evidence that the history has.
fn sources(scope: &Scope<'_, '_>) -> Vec<&'static str> {
    let events = scope.boots.iter().flat_map(|boot| &boot.events);
    let causes = events.filter_map(|event| event.cause.as_ref());
    let mut sources: Vec<Source> = Vec::new();
    for source in causes.flat_map(|cause| &cause.sources) {
        if !sources.contains(source) {
            sources.push(*source);
        }
    }
    sources.into_iter().map(Source::description).collect()
}

fn symbol(mark: &Markup) -> Markup {
    html! { svg width="20" height="20" aria-hidden="true" { (mark) } }
}

fn first(confidence: Confidence) -> Markup {
    html! {
        g class={ "mark first " (confidence.as_str()) } {
            svg x="10" y="10" overflow="visible" { (super::marks::first_shape(confidence)) }
        }
    }
}

fn again() -> Markup {
    html! { g.mark.again { svg x="10" y="10" overflow="visible" { rect x="-2" y="-5" width="4" height="10" rx="1" {} } } }
}

fn cross() -> Markup {
    html! { g.mark.cleared { svg x="10" y="10" overflow="visible" { path d="M-5-5 5 5M5-5-5 5" {} } } }
}
