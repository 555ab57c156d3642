//! The history as a page for a browser: one file, which loads nothing else.
//!
//! In: what the report covers. Out: HTML with its style and its script in it. The page's own policy lets nothing else run
//! or load; the script only filters, and everything is there without it. What the kernel or a module's author wrote is
//! text: control characters are shown, and what means something to HTML is escaped. Long lists are cut by the report's
//! limits, and say so.

mod axis;
mod boot;
mod data;
mod drawing;
mod event;
mod filter;
mod fleet;
mod lanes;
mod legend;
mod marks;
mod sections;
mod tables;

use base64ct::{Base64, Encoding as _};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::{escape::Escaped, format, scope::Scope, selection::Selection};

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// A text of any origin, as text.
fn text(text: &str) -> Markup {
    let shown = Escaped(text).to_string();
    html! { (shown) }
}

/// The page.
#[must_use]
pub fn page(scope: &Scope<'_, '_>) -> String {
    let selection = Selection::of(scope);
    let title = format!("Kernel taint report {}", scope.hosts().join(", "));
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
                (sections::head(scope))
                (filter::form(scope, &selection))
                main {
                    @if let Some(fleet) = scope.fleet { (fleet::section(fleet, scope.limits)) }
                    (sections::boots(scope))
                    @for (number, (boot, selected)) in scope.boots.iter().zip(&selection.boots).enumerate() {
                        (boot::section(scope, number, boot, selected))
                    }
                    (legend::section(scope))
                }
                (sections::foot(scope, &selection))
                (data::block(&selection))
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

/// Fills that differ without colour, for the drawings.
fn patterns() -> Markup {
    html! {
        svg.defs width="0" height="0" aria-hidden="true" {
            defs {
                pattern #gap width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect.paper width="6" height="6" {}
                    rect.ink width="2" height="6" {}
                }
                pattern #part width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)" {
                    rect.paper width="6" height="6" {}
                    rect.ink width="3" height="6" {}
                }
            }
        }
    }
}

/// A time that a program can read, too.
fn time(time: crate::event::Time, shown: &str) -> Markup {
    html! { time datetime=(time) title=(format::clock(time)) { (shown) } }
}

#[cfg(test)]
mod tests;
