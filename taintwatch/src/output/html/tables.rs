//! The flags and the modules of a boot as tables.
//!
//! In: the boot. Out: a row a flag with its causes, a row a module with what is known of it; of modules without flags the
//! names.

use maud::{Markup, html};

use super::{sections::chip, text, time};
use crate::{
    history::{BootHistory, Flag, Module},
    output::{
        event_line::sentence,
        fields::module_fields,
        format::{self, clock},
        report::more_causes,
        scope::Scope,
    },
};

/// Names of modules without flags that a boot lists.
const NAMES: usize = 300;

pub(super) fn flags(scope: &Scope<'_, '_>, boot: &BootHistory<'_>) -> Markup {
    let shown = boot.flags.iter();
    let shown = shown.filter(|flag| scope.shows_any(&flag.events));
    let mut shown = shown.peekable();
    if shown.peek().is_none() {
        return html! {};
    }
    html! {
        h3 { "Flags" }
        div.scroll tabindex="0" role="region" aria-label="Flags" {
            table.flags {
                thead { tr {
                    @for column in ["flag", "set first", "by", "evidence"] { th scope="col" { (column) } }
                    th.number scope="col" { "times" }
                } }
                tbody { @for flag in shown { (flag_row(scope, flag)) } }
            }
        }
    }
}

fn flag_row(scope: &Scope<'_, '_>, flag: &Flag<'_>) -> Markup {
    html! {
        tr data-bits=(flag.bit) {
            th scope="row" { (chip(flag)) " " (text(flag.name.unwrap_or("no known name"))) @if let Some(meaning) = flag.meaning { span.sub { (meaning) } } }
            td data-label="set first" { (first(flag)) }
            td data-label="by" { (causes(scope, flag)) }
            td data-label="evidence" { span class={ "known " (flag.confidence.as_str()) } { (flag.confidence.as_str()) } }
            td.number data-label="times" { (flag.count) }
        }
    }
}

fn causes(scope: &Scope<'_, '_>, flag: &Flag<'_>) -> Markup {
    let (causes, _) = scope.limits.first(&flag.reasons);
    let (cleared, more) = scope.limits.first(&flag.cleared);
    html! {
        @if causes.is_empty() { "only the mask shows it" }
        ul {
            @for reason in causes {
                li { (text(&sentence(reason.first))) @if flag.reasons.len() > 1 { span.count { " (" (format::times(reason.count)) ")" } } }
            }
            @if let Some(more) = more_causes(flag, causes.len()) { li.count { (more) } }
            @for event in cleared {
                li.alarm { "cleared " (time(event.time, &clock(event.time))) ": " (text(&sentence(event))) }
            }
            @if more > 0 { li.alarm { "cleared " (format::number(more, "more time")) } }
        }
    }
}

/// When it was set first; of what was only found set, that it was by then.
fn first(flag: &Flag<'_>) -> Markup {
    html! {
        @match flag.first {
            Some(event) => {
                @if !flag.is_timed() { "before " }
                (time(event.time, &clock(event.time)))
            }
            None => "not recorded",
        }
    }
}

pub(super) fn modules(scope: &Scope<'_, '_>, boot: &BootHistory<'_>) -> Markup {
    let shown = boot.modules.iter();
    let shown = shown.filter(|module| scope.shows_any(&module.events));
    let (mut notable, mut other): (Vec<_>, Vec<_>) = shown.partition(|module| module.is_notable());
    let most = scope.share(scope.limits.modules).min(notable.len());
    let rest = notable.split_off(most);
    let without_row = rest.len();
    other.splice(0..0, rest);
    html! {
        @if !(notable.is_empty() && other.is_empty()) { h3 { "Modules" } }
        @if !notable.is_empty() {
            div.scroll tabindex="0" role="region" aria-label="Modules" {
                table.modules {
                    thead { tr { @for column in ["module", "version", "what is known"] { th scope="col" { (column) } } } }
                    tbody { @for module in &notable { (module_row(scope, module)) } }
                }
            }
        }
        @if !other.is_empty() {
            details.others {
                summary {
                    (format::number(other.len(), if notable.is_empty() { "module" } else { "more module" }))
                    @if without_row > 0 { ", " (without_row) " of them with flags" } @else { " without flags" }
                }
                ul { @for module in other.iter().take(NAMES) { li { code { (text(module.name)) } " " (text(&format::list(&module.versions, scope.limits))) } } }
                @if other.len() > NAMES { p.note { "and " (other.len() - NAMES) " more" } }
            }
        }
    }
}

fn module_row(scope: &Scope<'_, '_>, module: &Module<'_>) -> Markup {
    let limits = scope.limits;
    let bits: Vec<_> = module.set.iter().map(|(bit, ..)| bit.to_string()).collect();
    let fields = module_fields(module, limits).into_iter();
    let fields = fields.filter(|(name, _)| *name != "version");
    let (hashes, _) = limits.first(&module.hashes);
    let (versions, _) = limits.first(&module.srcversions);
    html! {
        tr data-module=(text(module.name)) data-bits=(bits.join(" ")) {
            th scope="row" { code { (text(module.name)) } }
            td data-label="version" { (text(&format::list(&module.versions, limits))) }
            td {
                dl {
                    @for (name, value) in fields { dt { (name) } dd { (text(&value)) } }
                    @for hash in hashes { dt { "sha256" } dd { code.hash { (text(hash)) } } }
                    @for version in versions { dt { "srcversion" } dd { code { (text(version)) } } }
                }
            }
        }
    }
}
