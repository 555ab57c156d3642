//! The history as a page for a browser: one file, which asks nobody for anything.
//!
//! In: the boots that were asked for. Out: HTML with its style and its script in it. The page's own policy lets
//! nothing else run or load; the script only filters, and everything is there without it. What the kernel or a
//! module's author wrote stands as text: control characters are shown, and what means something to HTML is escaped.

mod axis;
mod data;
mod event;
mod lanes;
mod sections;

use base64ct::{Base64, Encoding as _};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::{
    escape::Escaped,
    fields::{Asked, hosts},
    words,
};
use crate::{
    event::{Confidence, Event, Kind},
    history::{self, Entry, Flag},
};

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");
/// More entries than this make a page that opens slowly; what says most stays.
const ENTRIES: usize = 2000;

/// A boot's part of what all boots together may have, and at least the second number.
fn share(asked: &Asked<'_, '_>, (all, least): (usize, usize)) -> usize {
    (all / asked.boots.len().max(1)).max(least)
}

/// A text that anybody may have written, as text.
fn text(text: &str) -> Markup {
    let shown = Escaped(text).to_string();
    html! { (shown) }
}

/// The page.
#[must_use]
pub fn page(asked: &Asked<'_, '_>) -> String {
    let entries = Entries::of(asked);
    let title = format!("Kernel taint report {}", hosts(&asked.boots).join(", "));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "taintwatch " (env!("CARGO_PKG_VERSION")) };
                title { (text(title.trim())) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#boots" { "Skip to the boots" }
                (patterns())
                (sections::head(asked))
                (filter(asked, &entries))
                main {
                    (sections::boots(asked))
                    @for (number, of_boot) in entries.boots.iter().enumerate() {
                        (sections::boot(asked, number, of_boot))
                    }
                    (sections::how_known(asked))
                }
                (sections::foot(asked, &entries))
                (data::block(&entries))
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// Nothing is loaded, and of scripts and styles only these two are taken.
fn policy() -> String {
    let hash = |text: &str| Base64::encode_string(&Sha256::digest(text));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
}

/// Fills that tell without colour, for the drawings.
fn patterns() -> Markup {
    html! {
        svg.defs width="0" height="0" aria-hidden="true" {
            defs {
                pattern #gap width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect.layout width="6" height="6" {}
                    rect.ink width="2" height="6" {}
                }
                pattern #part width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)" {
                    rect.layout width="6" height="6" {}
                    rect.ink width="3" height="6" {}
                }
            }
        }
    }
}

/// The entries of each boot that are on the page, and how many are not.
struct Entries<'a> {
    boots: Vec<Vec<Entry<'a>>>,
    left_out: usize,
}

impl<'a> Entries<'a> {
    fn of(asked: &Asked<'_, 'a>) -> Self {
        let of_boot = |boot: &&history::Boot<'a>| {
            let events = boot.events.iter().copied();
            history::entries(events.filter(|event| asked.shows(event)))
        };
        let mut boots: Vec<_> = asked.boots.iter().map(of_boot).collect();
        let all = boots.iter().flatten();
        let mut ranks: Vec<_> = all
            .map(|entry| (rank(entry.event), entry.event.seq))
            .collect();
        ranks.sort_unstable();
        let last = ranks.get(ENTRIES).copied();
        let mut left_out = 0;
        for entries in &mut boots {
            let all = entries.len();
            entries.retain(|entry| {
                last.is_none_or(|last| (rank(entry.event), entry.event.seq) < last)
            });
            left_out += all - entries.len();
        }
        Self { boots, left_out }
    }

    fn all(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.boots.iter().flatten()
    }
}

/// What says most is least: first settings and what hides something, and last what only repeats.
fn rank(event: &Event) -> u8 {
    let taint = event.taint.as_ref();
    let first = taint.and_then(|taint| taint.first) != Some(false);
    let module = event.module.as_ref();
    let flagged = module.is_some_and(|module| module.taints.is_some());
    match event.kind {
        Kind::Taint if first => 0,
        Kind::MaskWrite | Kind::Lost | Kind::Coverage | Kind::ModuleLoadFailed => 0,
        Kind::ModuleLoad | Kind::ModuleUnload if flagged => 1,
        Kind::Taint => 2,
        Kind::ModuleLoad | Kind::ModuleUnload => 3,
    }
}

/// The flags that an event is about, by bit.
fn bits(event: &Event) -> String {
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

fn module_of(event: &Event) -> &str {
    let module = event.module.as_ref();
    let name = module.and_then(|module| module.name.as_deref());
    name.unwrap_or_default()
}

/// Hidden until the script that makes it work has run.
fn filter(asked: &Asked<'_, '_>, entries: &Entries<'_>) -> Markup {
    let mut flags: Vec<&Flag<'_>> = Vec::new();
    for flag in asked.boots.iter().flat_map(|boot| &boot.flags) {
        if asked.shows_any(&flag.events) && flags.iter().all(|known| known.bit != flag.bit) {
            flags.push(flag);
        }
    }
    flags.sort_by_key(|flag| flag.bit);
    let mut modules: Vec<_> = entries.all().map(|entry| module_of(entry.event)).collect();
    modules.sort_unstable();
    modules.dedup();
    modules.retain(|name| !name.is_empty());
    let mut kinds: Vec<_> = entries
        .all()
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
            (choice("confidence", "Known by", sure.into_iter().map(Confidence::as_str)))
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

/// A moment that a program can read, too.
fn time(time: crate::event::Time, shown: &str) -> Markup {
    html! { time datetime=(time) title=(words::clock(time)) { (shown) } }
}

#[cfg(test)]
mod tests;
