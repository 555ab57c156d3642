//! The drawing of a boot: a lane for the coverage, one a flag, one a notable module.
//!
//! In: a boot, and the entries that are on the page. Out: lanes, each a small drawing as wide as there is room;
//! places are percents, so that nothing is stretched. Bars in the same place are one.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::{
    axis::{Place, WHOLE},
    drawing::Drawing,
    filter::bits,
    legend, text,
};
use crate::{
    coverage::{Period, Stamp},
    history::{BootHistory, Entry, Flag, Module, Span},
    output::{coverage_line, event_line::sentence, fields, format, scope::Scope},
};

/// Modules with a lane in one drawing.
const MODULES: usize = 30;
/// What is shorter than this would not be seen.
const THIN: u32 = 25;
/// Bars that begin and end within so much of the width are one.
const SAME: u32 = 50;

pub(super) fn lanes(
    scope: &Scope<'_, '_>,
    boot: &BootHistory<'_>,
    entries: &[Entry<'_>],
) -> Markup {
    let shown = entries.iter().flat_map(|entry| {
        let again = entry.again.iter().map(|event| event.seq);
        let own = entry.event.seq;
        std::iter::once(own).chain(again).map(move |seq| (seq, own))
    });
    let drawing = Drawing::new(boot, shown.collect());
    let flags = boot.flags.iter();
    let flags = flags.filter(|flag| scope.shows_any(&flag.events));
    let modules = boot.modules.iter().filter(|module| module.is_notable());
    let modules = modules.filter(|module| scope.shows_any(&module.events));
    let modules: Vec<_> = modules.collect();
    let most = scope.share(scope.limits.modules).min(MODULES);
    let more = modules.len().saturating_sub(most);
    html! {
        div.lanes role="group" aria-label="Timeline of this boot" {
            (drawing.coverage())
            @for flag in flags { (drawing.flag(scope, flag)) }
            @for module in modules.iter().take(most) { (drawing.module(scope, module)) }
            (drawing.losses())
            (drawing.ticks())
            (legend::below(&drawing.axis))
        }
        @if more > 0 { p.note { (format::number(more, "more module")) " with flags have no lane here." } }
    }
}

/// Bars on one lane, one for each place.
#[derive(Default)]
struct Places(BTreeSet<(Place, Place)>);

impl Drawing<'_, '_> {
    fn break_line(&self) -> Markup {
        html! {
            @if let Some(at) = self.axis.break_at() {
                line.break x1=(at) x2=(at) y1="0" y2="100%" {}
            }
        }
    }

    fn lane(&self, lane: &Lane<'_>, drawn: &Markup) -> Markup {
        html! {
            div class={ "lane " (lane.class) } data-bits=[lane.bits.as_ref()] data-module=[lane.module.map(text)] {
                span.label title=(text(lane.title)) { (lane.label) }
                svg width="100%" height="24" role="group" aria-label=(text(lane.title)) {
                    (self.break_line())
                    (drawn)
                }
            }
        }
    }

    fn coverage(&self) -> Markup {
        let coverage = &self.boot.coverage;
        let text =
            |line: String, period: &Period| format!("{line} ({})", format::length(period.length()));
        let mut intervals = Places::default();
        let mut gaps = Places::default();
        let drawn = html! {
            @for it in &coverage.intervals {
                @let class = if it.full { "full" } else { "part" };
                (self.bar_of(&mut intervals, class, it.period, &text(coverage_line::interval(it), &it.period)))
            }
            @for it in &coverage.gaps {
                (self.bar_of(&mut gaps, "gap", it.period, &text(coverage_line::gap(it), &it.period)))
            }
        };
        let lane = Lane {
            class: "coverage",
            title: "Coverage: when the kernel was monitored",
            label: html! { "coverage" },
            bits: None,
            module: None,
        };
        self.lane(&lane, &drawn)
    }

    fn bar_of(&self, places: &mut Places, class: &str, period: Period, title: &str) -> Markup {
        self.bar(
            places,
            class,
            (Some(period.start()), Some(period.end())),
            title,
        )
    }

    /// A bar from one time to another, or from the start and to the end of the drawing; nothing where one is already.
    fn bar(
        &self,
        places: &mut Places,
        class: &str,
        (from, to): (Option<Stamp>, Option<Stamp>),
        title: &str,
    ) -> Markup {
        let from = from.map_or(Place(0), |at| self.axis.place(at));
        let to = to.map_or(Place(WHOLE), |at| self.axis.place(at));
        let from = Place(from.0.min(WHOLE - THIN));
        let width = Place(to.0.saturating_sub(from.0).max(THIN));
        let rounded = |place: Place| Place(place.0 / SAME);
        if !places.0.insert((rounded(from), rounded(width))) {
            return html! {};
        }
        html! {
            rect class={ "bar " (class) } x=(from) y="5" width=(width) height="14" rx="2" { title { (text(title)) } }
        }
    }

    fn flag(&self, scope: &Scope<'_, '_>, flag: &Flag<'_>) -> Markup {
        let name = flag.name.unwrap_or("no known name");
        let title = format!(
            "{} {name}: {}, {}",
            flag.mark(),
            format::times(flag.count),
            flag.confidence.as_str()
        );
        let since = flag.first.filter(|_| flag.is_timed()).map(Stamp::of);
        let until = flag.cleared.first().map(|event| Stamp::of(event));
        let class = if since.is_some() {
            "set"
        } else {
            "set unknown"
        };
        let drawn = html! {
            (self.bar(&mut Places::default(), class, (since, until), &title))
            (self.marks(scope, flag))
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

    fn module(&self, scope: &Scope<'_, '_>, module: &Module<'_>) -> Markup {
        let version = format::list(&module.versions, scope.limits);
        let title = format!("module {} {version}", module.name);
        // A load after a load: the first has ended by then, though no unload was recorded.
        let next = module.spans.iter().skip(1).map(|span| span.from);
        let spans = module.spans.iter().zip(next.chain([None]));
        let bits: BTreeSet<_> = module.events.iter().map(|event| bits(event)).collect();
        let bits: Vec<_> = bits.into_iter().collect();
        let mut places = Places::default();
        let drawn = html! {
            @for (span, next) in spans { (self.span(&mut places, span, next, &title)) }
            (self.failed(&module.failed))
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

    fn span(&self, places: &mut Places, span: &Span, next: Option<Stamp>, title: &str) -> Markup {
        let class = match span.from {
            Some(_) => "loaded",
            None => "loaded unknown",
        };
        let title = format!("{title}: loaded {}", fields::loaded(span));
        self.bar(places, class, (span.from, span.to.or(next)), &title)
    }

    fn losses(&self) -> Markup {
        let mut losses = self.boot.losses().peekable();
        if losses.peek().is_none() {
            return html! {};
        }
        let mut places = Places::default();
        let drawn = html! {
            @for event in losses {
                @let since = event.lost.as_ref().and_then(|lost| lost.since_ns);
                @let from = Stamp { time: event.time, boottime_ns: since.or(event.boottime_ns) };
                @let title = format!("{}: {}", format::clock(event.time), sentence(event));
                (self.bar(&mut places, "lost", (Some(from), Some(Stamp::of(event))), &title))
            }
        };
        let lane = Lane {
            class: "losses",
            title: "Records or details that were lost",
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
