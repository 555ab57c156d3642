//! The drawing of a boot: a lane for the cover, one a flag, one a module that matters.
//!
//! In: a boot, and the entries that are on the page. Out: lanes, each a small drawing as wide as there is room;
//! places are percents, so that nothing is stretched. Repeats that stand too close are one mark that says how many.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use maud::{Markup, html};

use super::{
    axis::{Axis, Place, WHOLE},
    bits, share, text,
};
use crate::{
    coverage::Stamp,
    event::{Confidence, Event},
    history::{Boot, Entry, Flag, Module, Span, count},
    output::{
        fields::{Asked, gap_length, interval_length},
        human, words,
    },
};

/// Modules that get a lane, over all boots, and of each boot at least.
const MODULES: (usize, usize) = (400, 8);
/// Repeats within so much of the width are one mark.
const BIN: u32 = 40;
/// What is shorter than this would not be seen.
const THIN: u32 = 25;

/// What every lane needs.
struct Drawing<'h, 'a> {
    axis: Axis,
    boot: &'h Boot<'a>,
    /// The entry that tells of an event, by sequence.
    entries: HashMap<u64, u64>,
}

pub(super) fn lanes(asked: &Asked<'_, '_>, boot: &Boot<'_>, entries: &[Entry<'_>]) -> Markup {
    let told = entries.iter().flat_map(|entry| {
        let again = entry.again.iter().map(|event| event.seq);
        let own = entry.event.seq;
        std::iter::once(own).chain(again).map(move |seq| (seq, own))
    });
    let drawing = Drawing {
        axis: Axis::of(boot),
        boot,
        entries: told.collect(),
    };
    let flags = boot
        .flags
        .iter()
        .filter(|flag| asked.shows_any(&flag.events));
    let mut modules: Vec<_> = boot
        .modules
        .iter()
        .filter(|module| matters(module))
        .collect();
    modules.retain(|module| asked.shows_any(&module.events));
    let most = share(asked, MODULES).min(30);
    let more = modules.len().saturating_sub(most);
    html! {
        div.lanes role="group" aria-label="Timeline of this boot" {
            (drawing.cover())
            @for flag in flags { (drawing.flag(asked, flag)) }
            @for module in modules.iter().take(most) { (drawing.module(module)) }
            (drawing.losses())
            (drawing.ticks())
        }
        @if more > 0 {
            p.note { (more) " more modules with flags have no lane here; their events are counted above." }
        }
    }
}

/// A module that has flags, set one, failed, or hides.
pub(super) fn matters(module: &Module<'_>) -> bool {
    !module.taints.is_empty()
        || !module.set.is_empty()
        || !module.failed.is_empty()
        || module.hidden
}

impl Drawing<'_, '_> {
    fn break_line(&self) -> Markup {
        html! {
            @if let Some(at) = self.axis.break_at() {
                line.break x1=(at) x2=(at) y1="0" y2="100%" {}
            }
        }
    }

    fn lane(&self, attributes: &Lane<'_>, drawn: &Markup) -> Markup {
        html! {
            div class={ "lane " (attributes.class) } data-bits=[attributes.bits.as_ref()] data-module=[attributes.module.map(text)] {
                span.label title=(text(attributes.title)) { (attributes.label) }
                svg width="100%" height="24" role="group" aria-label=(text(attributes.title)) {
                    (self.break_line())
                    (drawn)
                }
            }
        }
    }

    fn cover(&self) -> Markup {
        let cover = &self.boot.cover;
        let drawn = html! {
            @for it in &cover.intervals {
                @let (from, to) = (stamp(it.from, it.from_ns), stamp(it.to, it.to_ns));
                @let class = if it.full { "full" } else { "part" };
                (self.bar(class, Some(from), Some(to), &format!("{} ({})", human::interval(it), words::length(interval_length(it)))))
            }
            @for it in &cover.gaps {
                @let (from, to) = (stamp(it.from, it.from_ns), stamp(it.to, it.to_ns));
                (self.bar("gap", Some(from), Some(to), &format!("{} ({})", human::gap(it), words::length(gap_length(it)))))
            }
        };
        let lane = Lane {
            class: "cover",
            title: "What was watched",
            label: html! { "watched" },
            bits: None,
            module: None,
        };
        self.lane(&lane, &drawn)
    }

    fn bar(&self, class: &str, from: Option<Stamp>, to: Option<Stamp>, title: &str) -> Markup {
        let from = from.map_or(Place(0), |at| self.axis.place(at));
        let to = to.map_or(Place(WHOLE), |at| self.axis.place(at));
        let from = Place(from.0.min(WHOLE - THIN));
        let width = Place(to.0.saturating_sub(from.0).max(THIN));
        html! {
            rect class={ "bar " (class) } x=(from) y="5" width=(width) height="14" rx="2" { title { (text(title)) } }
        }
    }

    fn flag(&self, asked: &Asked<'_, '_>, flag: &Flag<'_>) -> Markup {
        let name = flag.name.unwrap_or("no known name");
        let title = format!(
            "{} {name}: {}, {}",
            flag.mark(),
            words::times(flag.count),
            flag.confidence.as_str()
        );
        let since = flag.first.filter(|_| flag.is_timed());
        let since = since.map(Stamp::of);
        let until = flag.cleared.first().map(|event| Stamp::of(event));
        let shown = flag
            .events
            .iter()
            .copied()
            .filter(|event| asked.shows(event));
        let is_first =
            |event: &&Event| event.taint.as_ref().and_then(|taint| taint.first) != Some(false);
        let (first, again): (Vec<_>, Vec<_>) = shown.partition(is_first);
        let drawn = html! {
            (self.bar(if since.is_some() { "set" } else { "set unknown" }, since, until, &title))
            @for bin in self.bins(&again) { (self.again(flag, &bin)) }
            @for event in first { (self.first(flag, event)) }
            @for event in &flag.cleared { (self.cleared(flag, event)) }
        };
        let lane = Lane {
            class: "flag",
            title: &title,
            label: html! { b.letter { (flag.mark()) } " " (text(name)) },
            bits: Some(flag.bit.to_string()),
            module: None,
        };
        self.lane(&lane, &drawn)
    }

    /// A link to the entry that tells of the event, when the page has it.
    fn link(&self, event: &Event) -> Option<String> {
        let entry = self.entries.get(&event.seq)?;
        Some(format!("#e{entry}"))
    }

    fn first(&self, flag: &Flag<'_>, event: &Event) -> Markup {
        let cause = event.cause.as_ref();
        let confidence = cause.map_or(Confidence::Unattributed, |cause| cause.confidence);
        let label = format!(
            "{} {}: {}",
            flag.mark(),
            words::clock(event.time),
            human::told(event)
        );
        let at = self.axis.place(Stamp::of(event));
        html! {
            a class={ "mark first " (confidence.as_str()) } href=[self.link(event)] aria-label=(text(&label))
                data-flag=(flag.mark()) data-time=(event.time) data-boot=[self.boot.id.map(text)]
                data-seq=(event.seq) data-count=(count(event)) data-event=[self.entries.get(&event.seq)] {
                svg x=(at) y="12" overflow="visible" {
                    @match confidence {
                        Confidence::Observed | Confidence::Logged => { path d="M0-7 7 0 0 7-7 0Z" {} }
                        Confidence::Listed | Confidence::Unattributed => { circle r="6" {} }
                    }
                }
                title { (text(&label)) " (" (confidence.as_str()) ")" }
            }
        }
    }

    fn again(&self, flag: &Flag<'_>, bin: &Bin<'_>) -> Markup {
        let (from, to) = (words::clock(bin.first.time), words::clock(bin.last.time));
        let span = if from == to {
            from
        } else {
            format!("{from} to {to}")
        };
        let label = format!(
            "{} again, {}, {span}: {}",
            flag.mark(),
            words::times(bin.count),
            human::told(bin.first)
        );
        // Ten times as many is as much higher again.
        let height = (6 + 4 * u64::from(bin.count.max(1).ilog10())).min(20);
        html! {
            a.mark.again href=[self.link(bin.first)] tabindex="-1" aria-label=(text(&label))
                data-flag=(flag.mark()) data-time=(bin.first.time) data-boot=[self.boot.id.map(text)]
                data-seq=(bin.first.seq) data-count=(bin.count) data-event=[self.entries.get(&bin.first.seq)] {
                svg x=(bin.at) y="12" overflow="visible" {
                    rect x="-2" y={ "-" (height / 2) } width="4" height=(height) rx="1" {}
                }
                title { (text(&label)) }
            }
        }
    }

    fn cleared(&self, flag: &Flag<'_>, event: &Event) -> Markup {
        let label = format!(
            "{} cleared {}: {}",
            flag.mark(),
            words::clock(event.time),
            human::told(event)
        );
        html! {
            a.mark.cleared href=[self.link(event)] aria-label=(text(&label)) data-cleared=(flag.mark()) data-event=[self.entries.get(&event.seq)] {
                svg x=(self.axis.place(Stamp::of(event))) y="12" overflow="visible" { path d="M-5-5 5 5M5-5-5 5" {} }
                title { (text(&label)) }
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

    fn module(&self, module: &Module<'_>) -> Markup {
        let version = module.versions.join(", ");
        let title = format!("module {} {version}", module.name);
        // A load after a load: the first has ended by then, though nobody saw it.
        let next = module
            .spans
            .iter()
            .skip(1)
            .map(|span| span.from)
            .chain([None]);
        let spans = module.spans.iter().zip(next);
        let bits: BTreeSet<_> = module.events.iter().map(|event| bits(event)).collect();
        let bits: Vec<_> = bits.into_iter().collect();
        let drawn = html! {
            @for (span, next) in spans { (self.span(span, next, &title)) }
            @for event in &module.failed {
                @let label = format!("{}: {}", words::clock(event.time), human::told(event));
                a.mark.failed href=[self.link(event)] aria-label=(text(&label)) data-event=[self.entries.get(&event.seq)] {
                    svg x=(self.axis.place(Stamp::of(event))) y="12" overflow="visible" { path d="M-5-5 5 5M5-5-5 5" {} }
                    title { (text(&label)) }
                }
            }
        };
        let lane = Lane {
            class: "module",
            title: &title,
            label: html! { (text(module.name)) },
            bits: Some(bits.join(" ")),
            module: Some(module.name),
        };
        self.lane(&lane, &drawn)
    }

    fn span(&self, span: &Span, next: Option<Stamp>, title: &str) -> Markup {
        let class = match (span.from, span.to) {
            (Some(_), _) => "loaded",
            (None, _) => "loaded unknown",
        };
        let title = format!("{title}: loaded {}", crate::output::fields::loaded(span));
        self.bar(class, span.from, span.to.or(next), &title)
    }

    fn losses(&self) -> Markup {
        let mut losses = self.boot.losses().peekable();
        if losses.peek().is_none() {
            return html! {};
        }
        let drawn = html! {
            @for event in losses {
                @let since = event.lost.as_ref().and_then(|lost| lost.since_ns);
                @let from = Stamp { time: event.time, boottime_ns: since.or(event.boottime_ns) };
                (self.bar("lost", Some(from), Some(Stamp::of(event)), &format!("{}: {}", words::clock(event.time), human::told(event))))
            }
        };
        let lane = Lane {
            class: "losses",
            title: "Records that were lost",
            label: html! { "lost" },
            bits: None,
            module: None,
        };
        self.lane(&lane, &drawn)
    }

    fn ticks(&self) -> Markup {
        html! {
            div.lane.ticks aria-hidden="true" {
                span.label { "time since boot" }
                svg width="100%" height="22" {
                    (self.break_line())
                    @for (at, label) in self.axis.ticks() {
                        line x1=(at) x2=(at) y1="0" y2="5" {}
                        text x=(at) y="18" { (label) }
                    }
                }
            }
        }
    }
}

/// A lane's name, and what the filter knows it by.
struct Lane<'l> {
    class: &'static str,
    title: &'l str,
    label: Markup,
    bits: Option<String>,
    module: Option<&'l str>,
}

/// Repeats that stand too close to be told apart.
struct Bin<'e> {
    at: Place,
    first: &'e Event,
    last: &'e Event,
    count: u64,
}

fn stamp(time: crate::event::Time, boottime_ns: Option<u64>) -> Stamp {
    Stamp { time, boottime_ns }
}
