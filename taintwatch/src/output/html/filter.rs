//! The form that filters the page, and what the page's elements are filtered by.
//!
//! In: what is on the page. Out: choices of flags, modules, kinds and confidence; hidden until the script has run.

use maud::{Markup, html};

use super::text;
use crate::{
    event::{Confidence, Event},
    history::Flag,
    output::{scope::Scope, selection::Selection},
};

/// The flags that an event is about, by bit.
pub(super) fn bits(event: &Event) -> String {
    let taint = event.taint.as_ref();
    let written = |taint: &crate::event::Taint| {
        let lists = [taint.bits_set.clone(), taint.bits_cleared.clone()];
        lists.into_iter().flatten().flatten().collect::<Vec<_>>()
    };
    let bits = taint.and_then(|taint| taint.bit).into_iter();
    let all: Vec<_> = bits
        .chain(taint.map(written).unwrap_or_default())
        .map(|bit| bit.to_string())
        .collect();
    all.join(" ")
}

pub(super) fn module_of(event: &Event) -> &str {
    let module = event.module.as_ref();
    let name = module.and_then(|module| module.name.as_deref());
    name.unwrap_or_default()
}

/// The form.
pub(super) fn form(scope: &Scope<'_, '_>, selection: &Selection<'_>) -> Markup {
    let mut flags: Vec<&Flag<'_>> = Vec::new();
    for flag in scope.boots.iter().flat_map(|boot| &boot.flags) {
        if scope.shows_any(&flag.events) && flags.iter().all(|known| known.bit != flag.bit) {
            flags.push(flag);
        }
    }
    flags.sort_by_key(|flag| flag.bit);
    let mut modules: Vec<_> = selection
        .entries()
        .map(|entry| module_of(entry.event))
        .collect();
    modules.sort_unstable();
    modules.dedup();
    modules.retain(|name| !name.is_empty());
    let mut kinds: Vec<_> = selection
        .entries()
        .map(|entry| entry.event.kind.as_str())
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    let sure = [
        Confidence::Observed,
        Confidence::Logged,
        Confidence::Listed,
        Confidence::Unattributed,
    ];
    html! {
        form #filter role="search" aria-label="Filter the report" hidden {
            label.grow {
                span { "Search" }
                input #search type="search" name="text" autocomplete="off" spellcheck="false" placeholder="name, path, code, log line …";
            }
            fieldset {
                legend { "Flags" }
                @for flag in flags {
                    label.chip title=(text(flag.name.unwrap_or("no known name"))) {
                        input type="checkbox" name="bit" value=(flag.bit);
                        span { (flag.mark()) }
                    }
                }
            }
            (choice("module", "Module", modules.into_iter()))
            (choice("kind", "Kind", kinds.into_iter()))
            (choice("confidence", "Evidence", sure.into_iter().map(Confidence::as_str)))
            button type="reset" { "Clear" }
            output #found aria-live="polite" {}
        }
    }
}

fn choice<'a>(name: &str, label: &str, values: impl Iterator<Item = &'a str>) -> Markup {
    html! {
        label {
            span { (label) }
            select name=(name) {
                option value="" { "any" }
                @for value in values {
                    option value=(text(value)) { (text(value)) }
                }
            }
        }
    }
}
