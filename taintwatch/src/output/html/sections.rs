//! The parts of the page: its head, the boots at a glance, each boot, and what the words promise.

use maud::{Markup, html};

use super::{Entries, event, lanes, share, text, time};
use crate::{
    event::{Confidence, Mask, Source},
    history::{Boot, Entry, Flag, Module},
    output::{
        fields::{Asked, end, gap_length, hosts, interval_length, mask, module_fields, set},
        human, words,
    },
};

/// Modules in the tables of all boots, and of each boot at least; of the others the names are there.
const MODULES: (usize, usize) = (600, 20);
/// Names of modules without flags that a boot lists.
const NAMES: usize = 300;

/// The answer first: what was ever set, and what makes the answer doubtful.
pub(super) fn head(asked: &Asked<'_, '_>) -> Markup {
    let boots = &asked.boots;
    let all = boots
        .iter()
        .fold(Mask(0), |all, boot| Mask(all.0 | boot.mask().0));
    let writes: usize = boots.iter().map(|boot| boot.mask_writes().count()).sum();
    let lost = boots.iter().flat_map(|boot| boot.losses());
    let lost: u64 = lost
        .filter_map(|event| event.lost.as_ref())
        .map(|lost| lost.count)
        .sum();
    let gaps: usize = boots.iter().map(|boot| boot.cover.gaps.len()).sum();
    let part = boots.iter().flat_map(|boot| &boot.cover.intervals);
    let part = part.filter(|interval| !interval.full).count();
    html! {
        header {
            p.eyebrow { "taintwatch" }
            h1 { "What tainted this kernel" }
            p.lead {
                @if all == Mask(0) {
                    "No flag was set, as far as this history tells."
                } @else {
                    @let number = all.bits().count();
                    (words::number(number, "flag")) @if number == 1 { " was" } @else { " were" } " set: "
                    @for flag in first_of_each(asked) { (chip(flag)) " " }
                }
            }
            dl.cards {
                @for host in hosts(boots) { div { dt { "machine" } dd { code { (text(host)) } } } }
                div { dt { "asked for" } dd { (text(&asked.what)) } }
                div { dt { "holds" } dd { (asked.size()) } }
                div { dt { "made" } dd { (time(asked.made, &words::clock(asked.made))) } }
                div.alarm[writes > 0] { dt { "writes past the kernel" } dd { (writes) } }
                div.doubt[gaps + part > 0] { dt { "not fully watched" } dd { (words::number(gaps + part, "interval")) } }
                div.doubt[lost > 0] { dt { "records lost" } dd { (lost) } }
            }
        }
    }
}

/// Each flag once, from the first boot that had it.
fn first_of_each<'h, 'a>(asked: &'h Asked<'h, 'a>) -> Vec<&'h Flag<'a>> {
    let mut flags: Vec<&Flag<'_>> = Vec::new();
    for flag in asked.boots.iter().flat_map(|boot| &boot.flags) {
        if flags.iter().all(|known| known.bit != flag.bit) {
            flags.push(flag);
        }
    }
    flags.sort_by_key(|flag| flag.bit);
    flags
}

fn chip(flag: &Flag<'_>) -> Markup {
    let name = flag.name.unwrap_or("no known name");
    html! { abbr.letter title=(text(name)) { (flag.mark()) } }
}

/// A boot in a few words.
fn name(boot: &Boot<'_>) -> String {
    let id = boot.id.map(|id| id.chars().take(8).collect::<String>());
    id.map_or_else(|| "boot not known".to_owned(), |id| format!("boot {id}"))
}

/// The boots at a glance.
pub(super) fn boots(asked: &Asked<'_, '_>) -> Markup {
    html! {
        section #boots aria-labelledby="boots-title" {
            h2 #boots-title { "Boots" }
            div.scroll tabindex="0" role="region" aria-label="Boots at a glance" {
                table {
                    thead { tr { th scope="col" { "boot" } th scope="col" { "kernel" } th scope="col" { "known from" } th scope="col" { "for" } th scope="col" { "flags" } th scope="col" { "end" } th.number scope="col" { "events" } } }
                    tbody {
                        @for (number, boot) in asked.boots.iter().enumerate() {
                            tr {
                                th scope="row" { a href={ "#boot-" (number) } { code { (text(&name(boot))) } } }
                                td data-label="kernel" { (text(&boot.releases.join(", "))) }
                                td data-label="known from" { (time(boot.from.time, &words::clock(boot.from.time))) }
                                td data-label="for" { (length(boot)) }
                                td data-label="flags" { @for flag in &boot.flags { (chip(flag)) " " } }
                                td data-label="end" { (end(boot).unwrap_or_default()) }
                                td.number data-label="events" { (boot.events.len()) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn length(boot: &Boot<'_>) -> String {
    let (from, to) = (boot.from, boot.to);
    words::length(words::between(
        (from.time, from.boottime_ns),
        (to.time, to.boottime_ns),
    ))
}

/// Everything of one boot.
pub(super) fn boot(asked: &Asked<'_, '_>, number: usize, entries: &[Entry<'_>]) -> Markup {
    let Some(boot) = asked.boots.get(number) else {
        return html! {};
    };
    html! {
        section.boot id={ "boot-" (number) } data-boot=[boot.id.map(text)] aria-labelledby={ "boot-" (number) "-title" } {
            h2 id={ "boot-" (number) "-title" } { (text(&name(boot))) }
            dl.fields {
                @if let Some(id) = boot.id { dt { "id" } dd { code { (text(id)) } } }
                @if !boot.releases.is_empty() { dt { "kernel" } dd { (text(&boot.releases.join(", "))) } }
                dt { "known" } dd { (time(boot.from.time, &words::clock(boot.from.time))) " to " (time(boot.to.time, &words::clock(boot.to.time))) ", " (length(boot)) }
                @if let Some(end) = end(boot) { dt { "end" } dd { (end) } }
                dt { "flags" } dd { (text(&mask(boot))) }
                @for jump in &boot.jumps { dt { "clock" } dd { (set(jump)) "; order and drawing go by the boot's own clock" } }
            }
            (lanes::lanes(asked, boot, entries))
            (flags(asked, boot))
            (modules(asked, boot))
            (cover(boot))
            h3 { "Events" }
            @if entries.is_empty() { p.note { "None that was asked for." } }
            div.events {
                @for day in entries.chunk_by(|one, next| day(one) == day(next)) {
                    h4.day { (day.first().map(self::day).unwrap_or_default()) " UTC" }
                    @for entry in day { (event::entry(entry)) }
                }
            }
        }
    }
}

fn day(entry: &Entry<'_>) -> String {
    words::day(entry.event.time)
}

fn flags(asked: &Asked<'_, '_>, boot: &Boot<'_>) -> Markup {
    let mut shown = boot
        .flags
        .iter()
        .filter(|flag| asked.shows_any(&flag.events))
        .peekable();
    if shown.peek().is_none() {
        return html! {};
    }
    html! {
        h3 { "Flags" }
        div.scroll tabindex="0" role="region" aria-label="Flags" {
            table.flags {
                thead { tr { th scope="col" { "flag" } th scope="col" { "set first" } th scope="col" { "by" } th scope="col" { "known by" } th.number scope="col" { "times" } } }
                tbody { @for flag in shown { (flag_row(flag)) } }
            }
        }
    }
}

fn flag_row(flag: &Flag<'_>) -> Markup {
    html! {
        tr data-bits=(flag.bit) {
            th scope="row" { (chip(flag)) " " (text(flag.name.unwrap_or("no known name"))) @if let Some(meaning) = flag.meaning { span.sub { (meaning) } } }
            td data-label="set first" { (first(flag)) }
            td data-label="by" {
                @if flag.reasons.is_empty() { "only the mask shows it" }
                ul {
                    @for reason in &flag.reasons {
                        li { (text(&human::told(reason.first))) @if flag.reasons.len() > 1 { span.count { " (" (words::times(reason.count)) ")" } } }
                    }
                    @for event in &flag.cleared {
                        li.alarm { "cleared " (time(event.time, &words::clock(event.time))) ": " (text(&human::told(event))) }
                    }
                }
            }
            td data-label="known by" { span class={ "known " (flag.confidence.as_str()) } { (flag.confidence.as_str()) } }
            td.number data-label="times" { (flag.count) }
        }
    }
}

/// When it was set first; of what was only found set, that it was by then.
fn first(flag: &Flag<'_>) -> Markup {
    html! {
        @match flag.first {
            Some(event) => {
                @if !flag.is_timed() { "before " }
                (time(event.time, &words::clock(event.time)))
            }
            None => "not recorded",
        }
    }
}

fn modules(asked: &Asked<'_, '_>, boot: &Boot<'_>) -> Markup {
    let shown = boot
        .modules
        .iter()
        .filter(|module| asked.shows_any(&module.events));
    let (mut matter, mut other): (Vec<_>, Vec<_>) =
        shown.partition(|module| lanes::matters(module));
    let rest = matter.split_off(share(asked, MODULES).min(matter.len()));
    let unshown = rest.len();
    other.splice(0..0, rest);
    html! {
        @if !(matter.is_empty() && other.is_empty()) { h3 { "Modules" } }
        @if !matter.is_empty() {
            div.scroll tabindex="0" role="region" aria-label="Modules" {
                table.modules {
                    thead { tr { th scope="col" { "module" } th scope="col" { "version" } th scope="col" { "what is known" } } }
                    tbody { @for module in &matter { (module_row(module)) } }
                }
            }
        }
        @if !other.is_empty() {
            details.others {
                summary {
                    (words::number(other.len(), if matter.is_empty() { "module" } else { "more module" }))
                    @if unshown > 0 { ", " (unshown) " of them with flags" } @else { " without flags" }
                }
                ul { @for module in other.iter().take(NAMES) { li { code { (text(module.name)) } " " (text(&module.versions.join(", "))) } } }
                @if other.len() > NAMES { p.note { "and " (other.len() - NAMES) " more" } }
            }
        }
    }
}

fn module_row(module: &Module<'_>) -> Markup {
    let bits: Vec<_> = module.set.iter().map(|(bit, ..)| bit.to_string()).collect();
    html! {
        tr data-module=(text(module.name)) data-bits=(bits.join(" ")) {
            th scope="row" { code { (text(module.name)) } }
            td data-label="version" { (text(&module.versions.join(", "))) }
            td {
                dl {
                    @for (name, value) in module_fields(module).into_iter().filter(|(name, _)| *name != "version") { dt { (name) } dd { (text(&value)) } }
                    @for hash in &module.hashes { dt { "sha256" } dd { code.hash { (text(hash)) } } }
                    @for version in &module.srcversions { dt { "srcversion" } dd { code { (text(version)) } } }
                }
            }
        }
    }
}

fn cover(boot: &Boot<'_>) -> Markup {
    let cover = &boot.cover;
    if cover.intervals.is_empty() && cover.gaps.is_empty() {
        return html! {};
    }
    html! {
        h3 { "What was watched" }
        ul.cover {
            @for it in &cover.intervals {
                li class=(if it.full { "full" } else { "part" }) { (text(&human::interval(it))) " (" (words::length(interval_length(it))) ")" }
            }
            @for it in &cover.gaps { li.gap { (text(&human::gap(it))) " (" (words::length(gap_length(it))) ")" } }
            @for event in boot.losses() {
                li.lost { (time(event.time, &words::clock(event.time))) ": " (text(&human::told(event))) }
            }
        }
    }
}

/// What the words promise, and what the marks mean.
pub(super) fn how_known(asked: &Asked<'_, '_>) -> Markup {
    let events = asked.boots.iter().flat_map(|boot| &boot.events);
    let causes = events.filter_map(|event| event.cause.as_ref());
    let mut sources: Vec<Source> = Vec::new();
    for source in causes.flat_map(|cause| &cause.sources) {
        if !sources.contains(source) {
            sources.push(*source);
        }
    }
    let marks = [
        (Confidence::Observed, true),
        (Confidence::Logged, true),
        (Confidence::Listed, false),
        (Confidence::Unattributed, false),
    ];
    html! {
        section #known aria-labelledby="known-title" {
            h2 #known-title { "How it is known" }
            dl.legend {
                @for (confidence, is_square) in marks {
                    dt {
                        svg width="20" height="20" aria-hidden="true" {
                            g class={ "mark first " (confidence.as_str()) } {
                                svg x="10" y="10" overflow="visible" { @if is_square { path d="M0-7 7 0 0 7-7 0Z" {} } @else { circle r="6" {} } }
                            }
                        }
                        span class={ "known " (confidence.as_str()) } { (confidence.as_str()) }
                    }
                    dd { (words::promise(confidence)) }
                }
                dt { svg width="20" height="20" aria-hidden="true" { g.mark.again { svg x="10" y="10" overflow="visible" { rect x="-2" y="-5" width="4" height="10" rx="1" {} } } } "again" }
                dd { "set again; the higher, the more often: repeats that stand close are one mark" }
                dt { svg width="20" height="20" aria-hidden="true" { g.mark.cleared { svg x="10" y="10" overflow="visible" { path d="M-5-5 5 5M5-5-5 5" {} } } } "cleared" }
                dd { "the flag was cleared, which only a write past the kernel's own functions does; on a module's lane: a load that failed" }
                dt { svg width="20" height="20" aria-hidden="true" { rect.bar.full x="1" y="4" width="18" height="12" rx="2" {} } "watched" }
                dd { "every layer of the watch was in place: what is not told did not happen" }
                dt { svg width="20" height="20" aria-hidden="true" { rect.bar.part x="1" y="4" width="18" height="12" rx="2" {} } "in part" }
                dd { "a layer was missing" }
                dt { svg width="20" height="20" aria-hidden="true" { rect.bar.gap x="1" y="4" width="18" height="12" rx="2" {} } "not watched" }
                dd { "nothing is proven: things may have happened that are not told" }
            }
            p { "Of a boot longer than twenty minutes the first two minutes have a quarter of the drawing, up to the dashed line." }
            p { "Evidence in this history: " (sources.iter().map(|source| words::source(*source)).collect::<Vec<_>>().join(", ")) "." }
        }
    }
}

pub(super) fn foot(asked: &Asked<'_, '_>, entries: &Entries<'_>) -> Markup {
    html! {
        footer {
            @if entries.left_out > 0 {
                p.note { strong { (entries.left_out) " entries are not on this page" } ", which would open slowly with them: repeats and loads without flags. The tables and the drawings count them; `taintwatch report --json` prints each." }
            }
            p { "Made by taintwatch " (env!("CARGO_PKG_VERSION")) ", " (time(asked.made, &words::clock(asked.made))) ". All times are UTC. This file is complete in itself: it asks no server for anything. The events on it are in it as JSON, too, in the element " code { "#events" } "." }
        }
    }
}
