//! `taintwatch why`: for each set flag the chain from who asked to the line of code, each link with what it
//! rests on, in words to paste.

use std::{io::Write, path::Path};

use anyhow::Result;
use serde::Serialize;

use crate::{
    event::{Class, Confidence, Event, Kind, Mask},
    kernel::{identity::Identity, mask},
    output::{escape::Escaped, human},
    store::{Filter, Store},
    taint::{
        callers,
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

/// A link of the chain.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Link {
    /// `asked`, `task`, `file`, `module`, `code`, `flag`, `log`.
    kind: &'static str,
    text: String,
    /// What it rests on.
    evidence: &'static str,
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
            serde_json::to_writer(&mut *out, answer)?;
            writeln!(out)?;
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
    let of_flag = |event: &&Event| {
        let taint = event.taint.as_ref();
        taint.is_some_and(|taint| {
            taint.bit == Some(bit)
                || taint
                    .bits_set
                    .as_ref()
                    .is_some_and(|set| set.contains(&bit))
        })
    };
    let event = events
        .iter()
        .filter(of_flag)
        .find(|event| fits(event))
        .cloned();
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

/// From who asked to the flag.
fn chain(event: &Event) -> Vec<Link> {
    let mut chain = Vec::new();
    let mut link = |kind, text: Option<String>, evidence| {
        chain.extend(text.map(|text| Link {
            kind,
            text,
            evidence,
        }));
    };
    let asked = event.requested_by.as_ref().map(|by| {
        let who = by.task.as_ref().map(|task| {
            format!(
                "{} (pid {}, uid {}) ",
                task.comm,
                task.pid,
                task.uid.unwrap_or(0)
            )
        });
        format!(
            "{}needed {:?}, and the kernel started modprobe for it",
            who.unwrap_or_default(),
            by.alias
        )
    });
    link("asked", asked, "the tracepoint module_request");
    link(
        "task",
        event.task.as_ref().map(task),
        "the kernel's own record of the running task",
    );
    let module = event.module.as_ref();
    let file = module.and_then(|module| {
        let path = match (module.source.as_deref(), &module.path) {
            (Some("memory"), _) => "from memory, without a file".to_owned(),
            (_, Some(path)) => path.clone(),
            _ => return None,
        };
        let hash = module
            .sha256
            .as_ref()
            .map(|hash| format!(", sha256 {hash}"));
        Some(format!("{path}{}", hash.unwrap_or_default()))
    });
    link("file", file, "the file that the kernel opened");
    let identity = module.and_then(|module| {
        let mut text = module.name.clone()?;
        for (what, value) in [
            ("version", &module.version),
            ("licence", &module.license),
            ("signed by", &module.signer),
            ("build id", &module.build_id),
        ] {
            if let Some(value) = value {
                text = format!("{text}, {what} {value}");
            }
        }
        if module.hidden == Some(true) {
            text = format!("{text}, in no list of modules");
        }
        Some(text)
    });
    let loading = event
        .cause
        .as_ref()
        .is_some_and(|cause| cause.class == Class::ModuleLoad);
    link(
        "module",
        identity,
        if loading {
            "the loader, which had it in hand"
        } else {
            "the module that the code belongs to"
        },
    );
    link(
        "code",
        event.caller.as_ref().map(|caller| code(caller, event)),
        "the stack, resolved when it happened",
    );
    link(
        "flag",
        event.cause.as_ref().map(|cause| cause.summary.clone()),
        "the hooks named in `sources`",
    );
    link(
        "log",
        event
            .log
            .first()
            .map(|first| format!("{first} ({} lines)", event.log.len())),
        "the kernel log",
    );
    chain
}

fn task(task: &crate::event::Task) -> String {
    let command = if task.cmdline.is_empty() {
        task.comm.clone()
    } else {
        task.cmdline.join(" ")
    };
    let mut text = format!(
        "{command} (pid {}, uid {})",
        task.pid,
        task.uid.unwrap_or(0)
    );
    if let Some(auid) = task.auid {
        text = format!("{text}, logged in as uid {auid}");
    }
    if let Some(unit) = &task.unit {
        text = format!("{text}, unit {unit}");
    }
    if let Some(container) = &task.container {
        text = format!("{text}, container {container}");
    }
    let above: Vec<_> = task
        .ancestors
        .iter()
        .map(|it| format!("{} ({})", it.comm, it.pid))
        .collect();
    if above.is_empty() {
        text
    } else {
        format!("{text}, started by {}", above.join(" < "))
    }
}

fn code(caller: &str, event: &Event) -> String {
    let function = caller.split('+').next().unwrap_or_default();
    let bit = event.taint.as_ref().and_then(|taint| taint.bit);
    let known = bit.and_then(|bit| callers::known(function, bit));
    known.map_or_else(
        || caller.to_owned(),
        |known| format!("{caller} ({})", known.source),
    )
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

    #[test]
    fn the_chain_goes_from_the_task_to_the_flag() {
        let event: Event = serde_json::from_value(serde_json::json!({
            "schema": 1, "id": "x", "seq": 1, "kind": "taint", "time": "2026-01-01T00:00:00Z",
            "taint": {"bit": 0, "count": 1}, "caller": "load_module+0x1",
            "module": {"name": "m", "path": "/m.ko", "source": "file"},
            "task": {"pid": 7, "tid": 7, "comm": "insmod", "cmdline": ["insmod", "m.ko"], "ancestors": [{"pid": 1, "comm": "init"}]},
            "cause": {"class": "module_load", "summary": "s", "confidence": "observed", "sources": []},
        }))
        .unwrap();
        let answers = answers(Mask(1), LINUX, &[event], &["m".into()]);
        let links: Vec<_> = answers[0].chain.iter().map(|link| link.kind).collect();
        assert_eq!(links, ["task", "file", "module", "code", "flag"]);
        assert!(answers[0].chain[0].text.contains("started by init (1)"));
    }
}
