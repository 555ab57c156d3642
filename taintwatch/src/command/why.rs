//! `taintwatch why`: for each set flag the chain from who asked to the line of code, each link with what it
//! rests on, in words to paste.

use std::{io::Write, path::Path};

use anyhow::Result;
use serde::Serialize;

use crate::{
    attribute::chain::{Link, chain, with_load},
    event::{Confidence, Event, Kind, Mask},
    kernel::{identity::Identity, mask},
    output::{escape::Escaped, human, json},
    store::{Filter, Store},
    taint::{
        tables::{LINUX, Table},
        vendor,
    },
};

/// Show how each flag came to be set: who asked, which task, which file, which module, which code, which log lines
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Flags (letters or bits) or modules; all set flags unless given
    #[arg(value_name = "FLAG or MODULE")]
    about: Vec<String>,
    /// Print one JSON object a flag
    #[arg(long)]
    json: bool,
}

/// A flag, and how it came to be set.
#[derive(Debug, Serialize)]
struct Why {
    bit: u32,
    letter: Option<char>,
    name: Option<&'static str>,
    /// Set now; one that is clear was cleared past the kernel's functions.
    set: bool,
    /// Occurrences in this boot, as far as recorded.
    count: u64,
    confidence: Confidence,
    chain: Vec<Link>,
    /// The event that the chain is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Event>,
    /// Modules that set it again.
    also: Vec<String>,
}

/// Exit 0; 2 as for any error.
pub fn run(args: &Args, db: &Path, out: &mut dyn Write) -> Result<u8> {
    let mask = mask::read()?;
    let boot = Identity::read()?.boot_id;
    let mut events = Store::open(db)?.events(&Filter::default(), None)?;
    events.retain(|event| event.boot_id.as_deref() == Some(&boot));
    let table = vendor::local().unwrap_or(LINUX);
    let answers = answers(mask, table, &events, &args.about);
    if answers.is_empty() {
        let none = if mask == Mask(0) {
            "no flag is set"
        } else {
            "no set flag and no event is about that"
        };
        writeln!(out, "{none}")?;
    }
    for answer in &answers {
        if args.json {
            json::line(answer, out)?;
        } else {
            print(answer, out)?;
        }
    }
    Ok(0)
}

fn answers(mask: Mask, table: &Table, events: &[Event], about: &[String]) -> Vec<Why> {
    let told = events.iter().filter_map(|event| event.taint.as_ref()?.bit);
    let all = told.fold(mask, Mask::with);
    let asked = |bit: u32| {
        let letter = table.flag(bit).map(|flag| flag.letter.to_string());
        about.is_empty()
            || about
                .iter()
                .any(|word| letter.as_ref() == Some(word) || *word == bit.to_string())
    };
    let by_module = |event: &&Event| {
        let name = event
            .module
            .as_ref()
            .and_then(|module| module.name.as_deref());
        event.kind == Kind::Taint && name.is_some_and(|name| about.iter().any(|word| word == name))
    };
    let bits = all.bits().filter(|bit| asked(*bit));
    let mut answers: Vec<_> = bits
        .map(|bit| why(bit, mask, table, events, |_| true))
        .collect();
    let of_modules: Vec<_> = events
        .iter()
        .filter(by_module)
        .filter_map(|event| event.taint.as_ref()?.bit)
        .collect();
    for bit in all
        .bits()
        .filter(|bit| of_modules.contains(bit) && !asked(*bit))
    {
        answers.push(why(bit, mask, table, events, |event| by_module(&event)));
    }
    answers
}

fn why(
    bit: u32,
    mask: Mask,
    table: &Table,
    events: &[Event],
    fits: impl Fn(&Event) -> bool,
) -> Why {
    let of_flag = |event: &&Event| event.sets(bit);
    let event = events
        .iter()
        .filter(of_flag)
        .find(|event| fits(event))
        .map(|event| with_load(event, events));
    let count = events
        .iter()
        .filter(of_flag)
        .filter_map(|event| event.taint.as_ref()?.count)
        .sum();
    let flag = table.flag(bit);
    let name_of = |event: &Event| event.module.as_ref().and_then(|module| module.name.clone());
    let first = event.as_ref().and_then(name_of);
    let mut also: Vec<_> = events
        .iter()
        .filter(of_flag)
        .filter_map(name_of)
        .filter(|name| Some(name) != first.as_ref())
        .collect();
    also.sort();
    also.dedup();
    let cause = event.as_ref().and_then(|event| event.cause.as_ref());
    Why {
        bit,
        letter: flag.map(|flag| flag.letter),
        name: flag.map(|flag| flag.name),
        set: mask.has(bit),
        count,
        confidence: cause.map_or(Confidence::Unattributed, |cause| cause.confidence),
        chain: event.as_ref().map(chain).unwrap_or_default(),
        event,
        also,
    }
}

fn print(why: &Why, out: &mut dyn Write) -> Result<()> {
    let (bold, dim) = (human::BOLD, human::DIM);
    let letter = why
        .letter
        .map_or_else(|| format!("[{}]", why.bit), String::from);
    let state = if why.set { "" } else { ", clear by now" };
    let times = if why.count == 1 {
        "once".to_owned()
    } else {
        format!("{} times", why.count)
    };
    writeln!(
        out,
        "{bold}{letter}  {}{bold:#}{state}: set {times} in this boot, {}",
        why.name.unwrap_or("unknown"),
        why.confidence.as_str()
    )?;
    if why.chain.is_empty() {
        writeln!(out, "  {dim}who set it is not recorded{dim:#}")?;
    }
    for link in &why.chain {
        writeln!(
            out,
            "  {:<7} {}\n          {dim}by {}{dim:#}",
            link.kind,
            Escaped(&link.text),
            link.evidence
        )?;
    }
    if !why.also.is_empty() {
        writeln!(out, "  {:<7} {}", "again", Escaped(&why.also.join(", ")))?;
    }
    if let Some(event) = &why.event {
        writeln!(out, "  {dim}event {} of {}{dim:#}", event.seq, event.time)?;
    }
    Ok(writeln!(out)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_without_an_event_has_no_chain_and_no_cause() {
        let answers = answers(Mask(1 << 9), LINUX, &[], &[]);
        assert_eq!(answers.len(), 1);
        assert!(answers[0].chain.is_empty() && answers[0].confidence == Confidence::Unattributed);
        assert!(super::answers(Mask(1 << 9), LINUX, &[], &["P".into()]).is_empty());
    }
}
