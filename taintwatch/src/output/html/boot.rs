//! One boot on the page: what it is, its drawing, its flags, modules, coverage and events.
//!
//! In: the boot, and its entries and groups. Out: a section.

use maud::{Markup, html};

use super::{
    event, filter, lanes,
    sections::{length, name},
    tables, text, time,
};
use crate::{
    history::{BootHistory, Entry, Losses, entry::Group},
    output::{
        coverage_line::{self, Kind},
        event_line,
        fields::{clock_change, end, mask},
        format::{self, clock},
        scope::Scope,
        selection::{Rest, Selected},
    },
};

/// Everything of one boot.
pub(super) fn section(
    scope: &Scope<'_, '_>,
    number: usize,
    boot: &BootHistory<'_>,
    selected: &Selected<'_>,
) -> Markup {
    let entries = &selected.entries;
    html! {
        section.boot id={ "boot-" (number) } data-boot=[boot.id.map(text)] aria-labelledby={ "boot-" (number) "-title" } {
            h2 id={ "boot-" (number) "-title" } { (text(&name(boot))) }
            (facts(scope, boot))
            (lanes::lanes(scope, boot, entries))
            (tables::flags(scope, boot))
            (tables::modules(scope, boot))
            (coverage(scope, boot))
            h3 { "Events" }
            @if entries.is_empty() { p.note { "No event of this boot is in the scope of the report." } }
            div.events {
                @for day in entries.chunk_by(|one, next| day(one) == day(next)) {
                    h4.day { (day.first().map(self::day).unwrap_or_default()) " UTC" }
                    @for entry in day { (event::entry(entry)) }
                }
            }
            (rest(&selected.rest))
        }
    }
}

fn facts(scope: &Scope<'_, '_>, boot: &BootHistory<'_>) -> Markup {
    let (changes, more) = scope.limits.first(&boot.clock_changes);
    html! {
        dl.facts {
            @if let Some(id) = boot.id { dt { "id" } dd { code { (text(id)) } } }
            @if !boot.releases.is_empty() { dt { "kernel" } dd { (text(&format::list(&boot.releases, scope.limits))) } }
            dt { "known" }
            dd { (time(boot.from.time, &clock(boot.from.time))) " to " (time(boot.to.time, &clock(boot.to.time))) ", " (length(boot)) }
            @if let Some(end) = end(boot) { dt { "end" } dd { (end) } }
            dt { "flags" } dd { (text(&mask(boot))) }
            @for change in changes { dt { "clock" } dd { (clock_change(change)) "; order and drawing follow the boot's own clock" } }
            @if more > 0 { dt { "clock" } dd { (format::number(more, "more change")) } }
        }
    }
}

fn day(entry: &Entry<'_>) -> String {
    format::day(entry.event.time)
}

fn coverage(scope: &Scope<'_, '_>, boot: &BootHistory<'_>) -> Markup {
    let lines = coverage_line::lines(&boot.coverage, scope.limits);
    let losses: Vec<_> = boot.losses().collect();
    if lines.is_empty() && losses.is_empty() {
        return html! {};
    }
    let class = |kind| match kind {
        Kind::Full => "full",
        Kind::Part => "part",
        Kind::Gap => "gap",
        Kind::More => "more",
    };
    let total = Losses::of(losses.iter().copied()).sentences().join(", ");
    let (shown, more) = scope.limits.first(&losses);
    html! {
        h3 { "Coverage" }
        ul.coverage {
            @for (kind, line) in lines { li class=(class(kind)) { (text(&line)) } }
            @if losses.len() > 1 { li.lost { "in all: " (total) } }
            @for event in shown {
                li.lost { (time(event.time, &clock(event.time))) ": " (text(&event_line::sentence(event))) }
            }
            @if more > 0 { li.lost { "and " (format::number(more, "later event")) } }
        }
    }
}

/// The events that are not shown one by one, by flag, cause and module.
fn rest(rest: &Rest<'_>) -> Markup {
    if rest.events == 0 {
        return html! {};
    }
    html! {
        h4 { (format::number(rest.events, "more event")) " not shown one by one" }
        div.scroll tabindex="0" role="region" aria-label="Events as counts" {
            table.rest { tbody { @for group in &rest.groups { (group_row(group)) } } }
        }
        @if rest.more > 0 { p.note { "and " (format::number(rest.more, "more group")) " of other causes" } }
    }
}

fn group_row(group: &Group<'_>) -> Markup {
    let event = group.first;
    let (_, mark) = event_line::mark(event, group.count);
    html! {
        tr data-bits=(filter::bits(event)) {
            th scope="row" { (text(&mark)) }
            td { (text(&event_line::sentence(event))) }
            td { (group.extent()) }
        }
    }
}
