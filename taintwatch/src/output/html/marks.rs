//! The marks on the lanes: first settings, repeats, clearings, failed loads.
//!
//! In: the events of a flag or a module. Out: links to the entries that show them. Repeats that stand too close to be
//! distinguished are one mark with their number; so are other marks in the same place.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::{axis::Place, drawing::Drawing, text};
use crate::{
    coverage::Stamp,
    event::{Confidence, Event},
    history::{Flag, count},
    output::{event_line::sentence, format, scope::Scope},
};

/// Events within so much of the width are one mark.
const BIN: u32 = 80;
/// More first settings than this are drawn as repeats are: as bars with their number.
const FIRSTS: usize = 20;

/// Events that stand too close to be distinguished.
struct Bin<'e> {
    at: Place,
    first: &'e Event,
    last: &'e Event,
    count: u64,
}

/// A first setting: square to the axis where the time is known, round where it is not.
pub(super) fn first_shape(confidence: Confidence) -> Markup {
    html! {
        @match confidence {
            Confidence::Observed | Confidence::Logged => { path d="M0-7 7 0 0 7-7 0Z" {} }
            Confidence::Listed | Confidence::Unattributed => { circle r="6" {} }
        }
    }
}

impl Drawing<'_, '_> {
    /// The marks of a flag.
    pub(super) fn marks(&self, scope: &Scope<'_, '_>, flag: &Flag<'_>) -> Markup {
        let shown = flag.events.iter().copied();
        let shown = shown.filter(|event| scope.shows(event));
        let is_first =
            |event: &&Event| event.taint.as_ref().and_then(|taint| taint.first) != Some(false);
        let (mut first, mut again): (Vec<_>, Vec<_>) = shown.partition(is_first);
        again.extend(first.split_off(first.len().min(FIRSTS)));
        html! {
            @for bin in self.bins(&again) { (self.again(flag, &bin)) }
            @for event in first { (self.first(flag, event)) }
            @for bin in self.bins(&flag.cleared) { (self.cleared(flag, &bin)) }
        }
    }

    fn first(&self, flag: &Flag<'_>, event: &Event) -> Markup {
        let cause = event.cause.as_ref();
        let confidence = cause.map_or(Confidence::Unattributed, |cause| cause.confidence);
        let label = format!(
            "{} {}: {}",
            flag.mark(),
            format::clock(event.time),
            sentence(event)
        );
        let at = self.axis.place(Stamp::of(event));
        html! {
            a class={ "mark first " (confidence.as_str()) } href=[self.link(event)]
                data-flag=(flag.mark()) data-time=(event.time) data-boot=[self.boot.id.map(text)]
                data-seq=(event.seq) data-count=(count(event)) data-event=[self.entry(event)] {
                svg x=(at) y="12" overflow="visible" { (first_shape(confidence)) }
                title { (text(&label)) " (" (confidence.as_str()) ")" }
            }
        }
    }

    fn again(&self, flag: &Flag<'_>, bin: &Bin<'_>) -> Markup {
        let (mark, times) = (flag.mark(), format::times(bin.count));
        let label = format!(
            "{mark} again, {times}, {}: {}",
            bin.extent(),
            sentence(bin.first)
        );
        // Ten times as many is as much higher again.
        let height = (6 + 4 * u64::from(bin.count.max(1).ilog10())).min(20);
        html! {
            a.mark.again href=[self.link(bin.first)] tabindex="-1"
                data-flag=(flag.mark()) data-time=(bin.first.time) data-boot=[self.boot.id.map(text)]
                data-seq=(bin.first.seq) data-count=(bin.count) data-event=[self.entry(bin.first)] {
                svg x=(bin.at) y="12" overflow="visible" {
                    rect x="-2" y={ "-" (height / 2) } width="4" height=(height) rx="1" {}
                }
                title { (text(&label)) }
            }
        }
    }

    fn cleared(&self, flag: &Flag<'_>, bin: &Bin<'_>) -> Markup {
        let event = bin.first;
        let label = format!(
            "{} cleared {}: {}",
            flag.mark(),
            bin.extent(),
            sentence(event)
        );
        html! {
            a.mark.cleared href=[self.link(event)] data-cleared=(flag.mark()) data-event=[self.entry(event)] {
                svg x=(bin.at) y="12" overflow="visible" { path d="M-5-5 5 5M5-5-5 5" {} }
                title { (text(&label)) }
            }
        }
    }

    /// The marks of loads that failed.
    pub(super) fn failed(&self, failed: &[&Event]) -> Markup {
        html! {
            @for bin in self.bins(failed) {
                @let event = bin.first;
                @let label = format!("{}: {}", bin.extent(), sentence(event));
                a.mark.failed href=[self.link(event)] data-event=[self.entry(event)] {
                    svg x=(bin.at) y="12" overflow="visible" { path d="M-5-5 5 5M5-5-5 5" {} }
                    title { (text(&label)) }
                }
            }
        }
    }

    fn bins<'e>(&self, events: &[&'e Event]) -> Vec<Bin<'e>> {
        let mut bins: BTreeMap<u32, Bin<'e>> = BTreeMap::new();
        for event in events {
            let at = self.axis.place(Stamp::of(event));
            bins.entry(at.0 / BIN)
                .and_modify(|bin| {
                    bin.last = event;
                    bin.count = bin.count.saturating_add(count(event));
                })
                .or_insert(Bin {
                    at,
                    first: event,
                    last: event,
                    count: count(event),
                });
        }
        bins.into_values().collect()
    }
}

impl Bin<'_> {
    /// From when to when.
    fn extent(&self) -> String {
        let (from, to) = (
            format::clock(self.first.time),
            format::clock(self.last.time),
        );
        if from == to {
            from
        } else {
            format!("{from} to {to}")
        }
    }
}
