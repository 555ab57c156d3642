//! The head of the page, the boots at a glance, and the foot.
//!
//! In: what the report covers. Out: the flags that were ever set, what makes the report incomplete, and a row a boot.

use maud::{Markup, html};

use super::{text, time};
use crate::{
    coverage::Period,
    event::Mask,
    history::{BootHistory, Flag, Losses},
    output::{
        fields::end,
        format::{self, clock},
        scope::Scope,
        selection::Selection,
    },
};

/// The flags first, then what makes the report incomplete.
pub(super) fn head(scope: &Scope<'_, '_>) -> Markup {
    let boots = &scope.boots;
    let all = boots
        .iter()
        .fold(Mask(0), |all, boot| Mask(all.0 | boot.mask().0));
    let writes: usize = boots.iter().map(|boot| boot.mask_writes().count()).sum();
    let losses = Losses::of(boots.iter().flat_map(|boot| boot.losses()));
    let gaps: usize = boots.iter().map(|boot| boot.coverage.gaps.len()).sum();
    let part = boots.iter().flat_map(|boot| &boot.coverage.intervals);
    let part = part.filter(|interval| !interval.full).count();
    html! {
        header {
            p.eyebrow { "taintwatch" }
            h1 { "What tainted this kernel" }
            p.lead {
                @if all == Mask(0) {
                    "No flag was set, as far as it is recorded."
                } @else {
                    @let number = all.bits().count();
                    (format::number(number, "flag")) @if number == 1 { " was" } @else { " were" } " set: "
                    @for flag in first_of_each(scope) { (chip(flag)) " " }
                }
            }
            dl.cards {
                @for host in scope.hosts() { div { dt { "machine" } dd { code { (text(host)) } } } }
                div { dt { "scope" } dd { (text(&scope.description)) } }
                div { dt { "history" } dd { (scope.size()) } }
                div { dt { "made" } dd { (time(scope.made, &clock(scope.made))) } }
                div.alarm[writes > 0] { dt { "direct writes to the mask" } dd { (writes) } }
                div.doubt[gaps + part > 0] { dt { "without full coverage" } dd { (format::number(gaps + part, "interval")) } }
                div.doubt[losses.total() > 0] {
                    dt { "losses" }
                    dd { @if losses.total() == 0 { "none" } (losses.sentences().join(", ")) }
                }
            }
        }
    }
}

/// Each flag once, from the first boot that had it.
fn first_of_each<'h, 'a>(scope: &'h Scope<'h, 'a>) -> Vec<&'h Flag<'a>> {
    let mut flags: Vec<&Flag<'_>> = Vec::new();
    for flag in scope.boots.iter().flat_map(|boot| &boot.flags) {
        if flags.iter().all(|known| known.bit != flag.bit) {
            flags.push(flag);
        }
    }
    flags.sort_by_key(|flag| flag.bit);
    flags
}

pub(super) fn chip(flag: &Flag<'_>) -> Markup {
    let name = flag.name.unwrap_or("no known name");
    html! { abbr.letter title=(text(name)) { (flag.mark()) } }
}

/// A boot in a few words.
pub(super) fn name(boot: &BootHistory<'_>) -> String {
    let id = boot.id.map(|id| id.chars().take(8).collect::<String>());
    id.map_or_else(|| "unknown boot".to_owned(), |id| format!("boot {id}"))
}

/// How long the boot is known.
pub(super) fn length(boot: &BootHistory<'_>) -> String {
    format::length(Period::new(boot.from, boot.to).length())
}

/// The boots at a glance.
pub(super) fn boots(scope: &Scope<'_, '_>) -> Markup {
    let columns = ["boot", "kernel", "known from", "for", "flags", "end"];
    html! {
        section #boots aria-labelledby="boots-title" {
            h2 #boots-title { "Boots" }
            div.scroll tabindex="0" role="region" aria-label="Boots at a glance" {
                table {
                    thead { tr { @for column in columns { th scope="col" { (column) } } th.number scope="col" { "events" } } }
                    tbody { @for (number, boot) in scope.boots.iter().enumerate() { (row(scope, number, boot)) } }
                }
            }
        }
    }
}

fn row(scope: &Scope<'_, '_>, number: usize, boot: &BootHistory<'_>) -> Markup {
    html! {
        tr {
            th scope="row" { a href={ "#boot-" (number) } { code { (text(&name(boot))) } } }
            td data-label="kernel" { (text(&format::list(&boot.releases, scope.limits))) }
            td data-label="known from" { (time(boot.from.time, &clock(boot.from.time))) }
            td data-label="for" { (length(boot)) }
            td data-label="flags" { @for flag in &boot.flags { (chip(flag)) " " } }
            td data-label="end" { (end(boot).unwrap_or_default()) }
            td.number data-label="events" { (boot.recorded) }
        }
    }
}

pub(super) fn foot(scope: &Scope<'_, '_>, selection: &Selection<'_>) -> Markup {
    let left_out = selection.left_out();
    html! {
        footer {
            @if left_out > 0 {
                p.note {
                    strong { (format::number(left_out, "more event")) " not shown one by one" }
                    ": the tables count them. `taintwatch report --full` prints each, `--json` as JSON; `--flag`, "
                    "`--module`, `--kind`, `--since` and `--boot` narrow the report."
                }
            }
            p {
                "Made by taintwatch " (env!("CARGO_PKG_VERSION")) ", " (time(scope.made, &clock(scope.made)))
                ". All times are UTC. This file loads nothing from anywhere. The events that it shows are in it as JSON, in the element "
                code { "#events" } "."
            }
        }
    }
}
