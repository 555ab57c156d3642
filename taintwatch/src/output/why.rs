//! How a flag came to be set: the chain, a link a paragraph.
//!
//! In: what the history knows of a flag. Out: text to paste, each link with its evidence.

use anstyle::Style;
use serde::Serialize;

use super::{
    format,
    layout::Layout,
    style::{BOLD, DIM},
};
use crate::{
    attribute::chain::Link,
    event::{Confidence, Event},
    history,
};

/// A flag, and how it came to be set; the shape is a contract.
#[derive(Debug, Serialize)]
pub struct Why {
    pub bit: u32,
    pub letter: Option<char>,
    pub name: Option<&'static str>,
    /// Set now; one that is clear was cleared past the kernel's functions.
    pub set: bool,
    /// Occurrences in the boot, as far as recorded.
    pub count: u64,
    pub confidence: Confidence,
    pub chain: Vec<Link>,
    /// The event that the chain is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
    /// Modules that set it again.
    pub also: Vec<String>,
}

/// Where the links begin: behind `  module `.
const LINKS: usize = 8;

/// Prints a flag of a boot, and a blank line after it.
pub fn print(why: &Why, of: &str, layout: &mut Layout) {
    let mark = history::mark(why.bit, why.letter);
    let name = why.name.unwrap_or("unknown");
    let state = if why.set { "" } else { ", now clear" };
    let times = match why.count {
        0 => "set, how often is not recorded".to_owned(),
        count => format!("set {} in {of}", format::times(count)),
    };
    let title = format!("{name}{state}: {times}, {}", why.confidence.as_str());
    layout.marked(0, &mark, mark.len() + 2, BOLD, &title);
    if why.chain.is_empty() {
        layout.indented(2, "what set it is not recorded");
    }
    for link in &why.chain {
        layout.marked(2, link.kind, LINKS, Style::new(), &link.text);
        layout.marked(2 + LINKS, "by", 3, DIM, &link.evidence);
    }
    if !why.also.is_empty() {
        layout.marked(2, "again", LINKS, Style::new(), &why.also.join(", "));
    }
    if let Some(event) = &why.event {
        let of = format!("{} of {}", event.seq, event.time);
        layout.marked(2, "event", LINKS, DIM, &of);
    }
    layout.blank();
}
