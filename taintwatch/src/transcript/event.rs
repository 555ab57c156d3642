//! Sightings as public events.
//!
//! In: a sighting, the flags that the boot's log told of before. Out: events, with what they rest on. A letter never
//! decides: the class is by the code that the log names, the sentence by the place that prints such a text.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::{Listed, Origin, Sighting, summary};
use crate::{
    event::{Cause, Class, Confidence, Context, Event, Kind, Mask, Module, Taint, Task, Time},
    taint::{
        callers::{self, Part},
        flags::VENDOR,
        log::{Teller, Told},
        tables::Table,
        text::Reading,
    },
};

const DIE: u32 = 7;
const SOFT_LOCKUP: u32 = 14;
const RANDSTRUCT: u32 = 17;

/// A flag that the log tells of.
pub(super) fn told(sighting: &Sighting, told: &Told, before: Mask, origin: &Origin) -> Event {
    let mut event = blank(sighting, told.bit, told.module.as_deref(), "told", origin);
    let table = table_of(told, sighting, origin);
    event.taint = Some(table.taint(told.bit, before));
    let facts = &sighting.facts;
    let is_first = !before.has(told.bit);
    let (code, module) = if told.report && told.code.is_none() && told.module.is_none() {
        (facts.code.clone(), facts.module.clone())
    } else {
        (told.code.clone(), told.module.clone())
    };
    let class = class(told, module.is_some());
    event.cpu = facts.cpu;
    event.task = task(sighting, told);
    event.context = event.task.is_some().then_some(Context::Task);
    event.cause = Some(Cause {
        class,
        summary: summary::told(
            told,
            class,
            &summary::Around {
                table,
                code: code.as_deref(),
                module: module.as_deref(),
                task: event.task.as_ref(),
                panic: facts.panic.as_deref(),
                is_first,
            },
        ),
        confidence: Confidence::Logged,
        sources: vec![origin.source],
    });
    if matches!(class, Class::ModuleLoad | Class::ModuleCode) {
        event.module = module.as_ref().map(|name| Module {
            name: Some(name.clone()),
            ..Module::default()
        });
    }
    // A soft lockup is where the CPU was, not what it did wrong; with no module to blame the place is told in words.
    event.caller = code
        .filter(|_| told.bit != SOFT_LOCKUP)
        .map(|code| summary::place(&code, module.as_deref()));
    event.log.clone_from(&sighting.lines);
    event
}

/// A flag that a module of a list carries.
pub(super) fn listed(
    sighting: &Sighting,
    module: &Listed,
    bit: u32,
    before: Mask,
    origin: &Origin,
) -> Event {
    let mut event = blank(sighting, bit, Some(&module.name), "listed", origin);
    event.taint = Some(origin.table_of(sighting).taint(bit, before));
    let when = if module.loaded {
        "carries the flag; no line tells when it was loaded"
    } else {
        "carried the flag and was unloaded; no line tells when it was loaded"
    };
    event.cause = Some(Cause {
        class: Class::ModuleLoad,
        summary: format!("the module {} {when}", module.name),
        confidence: Confidence::Listed,
        sources: vec![origin.source],
    });
    event.module = Some(Module {
        name: Some(module.name.clone()),
        taints: Some(module.letters.clone()),
        loaded: Some(module.loaded),
        ..Module::default()
    });
    event.log = line_with(sighting, &module.name);
    event
}

/// A flag that is set in a state that the kernel printed, and that nothing before explains.
pub(super) fn unattributed(sighting: &Sighting, bit: u32, before: Mask, origin: &Origin) -> Event {
    let mut event = blank(sighting, bit, None, "unattributed", origin);
    let table = origin.table_of(sighting);
    event.taint = Some(table.taint(bit, before));
    let name = table.flag(bit).map_or_else(
        || format!("bit {bit}"),
        |flag| format!("{} ({})", flag.letter, flag.name),
    );
    // `tainted_mask` begins with it (kernel/panic.c): no call sets it, and no line tells.
    let built_in = bit == RANDSTRUCT;
    let (class, told) = if built_in {
        (
            Class::Boot,
            "is set from the first moment on: the kernel was built with randomised structures",
        )
    } else {
        (
            Class::Unknown,
            "was set before this; no line of the log tells by what",
        )
    };
    event.cause = Some(Cause {
        class,
        summary: format!("{name} {told}"),
        confidence: Confidence::Unattributed,
        sources: vec![origin.source],
    });
    event.log = line_with(sighting, "ainted");
    event
}

/// A flag after which lock debugging is off was set, and no line tells which.
pub(super) fn lockdep_off(sighting: &Sighting, before: Mask, origin: &Origin) -> Event {
    let mut event = blank(sighting, u32::MAX, None, "lockdep", origin);
    event.taint = Some(Taint {
        mask_before: Some(before),
        ..Taint::default()
    });
    event.cause = Some(Cause {
        class: Class::Unknown,
        summary: "a flag was set after which lock debugging is off (P, F, R, M, B or D); no line before this tells which"
            .to_owned(),
        confidence: Confidence::Unattributed,
        sources: vec![origin.source],
    });
    event.log.clone_from(&sighting.lines);
    event
}

/// A place of a state that kernels mean differently: every reading, and no guess.
pub(super) fn either(
    sighting: &Sighting,
    readings: &[Reading],
    before: Mask,
    origin: &Origin,
) -> Event {
    let mut event = blank(sighting, u32::MAX, None, "either", origin);
    event.taint = Some(Taint {
        mask_before: Some(before),
        ..Taint::default()
    });
    let one = |reading: &Reading| {
        let name = reading.name.unwrap_or("a flag without a name");
        format!("{name} (bit {}, {})", reading.bit, reading.vendor)
    };
    let readings: Vec<_> = readings.iter().map(one).collect();
    event.cause = Some(Cause {
        class: Class::Unknown,
        summary: format!(
            "a flag was set before this, and the log does not tell whose kernel it was: {}",
            readings.join(" or ")
        ),
        confidence: Confidence::Unattributed,
        sources: vec![origin.source],
    });
    event.log = line_with(sighting, "ainted");
    event
}

/// The line that a state or a list stands in.
fn line_with(sighting: &Sighting, word: &str) -> Vec<String> {
    let line = sighting.lines.iter().find(|line| line.contains(word));
    line.or(sighting.lines.first())
        .cloned()
        .into_iter()
        .collect()
}

fn blank(sighting: &Sighting, bit: u32, module: Option<&str>, how: &str, origin: &Origin) -> Event {
    let boot_id = sighting.boot.id.clone().or_else(|| origin.boot_id.clone());
    let at = &sighting.at;
    let time = at.wall.or_else(|| {
        let since = i64::try_from(at.since_boot?).ok()?;
        origin
            .booted?
            .checked_add(SignedDuration::from_nanos(since))
            .ok()
    });
    let id = id(sighting, bit, module, how, boot_id.as_deref());
    let mut event = Event::blank(id, Kind::Taint, time.map_or_else(Time::unknown, Time));
    event.host.clone_from(&origin.host);
    event.boot_id = boot_id;
    event.boottime_ns = at.since_boot;
    event.stamp = at.stamp.clone().filter(|_| time.is_none());
    event
}

/// The same for the same line of the same log, however often and with whatever else it is read.
fn id(
    sighting: &Sighting,
    bit: u32,
    module: Option<&str>,
    how: &str,
    boot_id: Option<&str>,
) -> String {
    let at = &sighting.at;
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    };
    part(sighting.host.as_deref().unwrap_or_default());
    part(boot_id.unwrap_or_default());
    part(how);
    part(&bit.to_string());
    part(module.unwrap_or_default());
    part(&format!(
        "{:?} {:?}",
        at.since_boot,
        at.wall.map(Timestamp::as_nanosecond)
    ));
    part(at.stamp.as_deref().unwrap_or_default());
    // A second is long, and without a time all lines are alike: there the place in the log counts.
    if at.since_boot.is_none() {
        part(&format!("{} {}", sighting.boot.ordinal, at.number));
    }
    part(
        sighting
            .lines
            .first()
            .map(String::as_str)
            .unwrap_or_default(),
    );
    let hash = hash.finalize();
    format!("log-{}", hex::encode(hash.get(..16).unwrap_or_default()))
}

/// A text that one vendor's kernels alone print tells whose flag it is.
fn table_of(told: &Told, sighting: &Sighting, origin: &Origin) -> &'static Table {
    let table = origin.table_of(sighting);
    match Table::named(told.vendor) {
        Some(own) if told.vendor != VENDOR && table.flag(told.bit).is_none() => own,
        _ => table,
    }
}

fn class(told: &Told, in_module: bool) -> Class {
    match (told.from, told.bit) {
        (Teller::Loader, _) => Class::ModuleLoad,
        // A report of bad memory names who came upon it, a lockup where the CPU was: that code is not guilty of it.
        (Teller::Kernel, 9 | DIE) if in_module => Class::ModuleCode,
        (Teller::Kernel, _) => Class::KernelCode,
    }
}

/// The task that was running; nobody where the kernel names none, or where no task has a part in it.
fn task(sighting: &Sighting, told: &Told) -> Option<Task> {
    let facts = &sighting.facts;
    let part = told
        .place
        .and_then(|place| callers::known(place, told.bit))
        .map(|place| place.part);
    if part == Some(Part::Nobody) {
        return None;
    }
    let by_line = || asked(sighting.lines.first()?);
    let (comm, pid) = match (facts.comm.clone(), facts.pid) {
        (Some(comm), Some(pid)) => (comm, pid),
        _ => by_line()?,
    };
    Some(Task {
        pid,
        tid: pid,
        comm,
        ..Task::default()
    })
}

/// `Write to unrecognized MSR 0x1a0 by NAME (pid: 7)`, `NAME(7): has requested full access`.
fn asked(line: &str) -> Option<(String, u32)> {
    if let Some((_, rest)) = line.split_once("unrecognized MSR ") {
        let (comm, rest) = rest.split_once(" by ")?.1.split_once(" (pid: ")?;
        let comm = comm.split(" (pid").next().unwrap_or(comm);
        return Some((comm.to_owned(), rest.split(')').next()?.parse().ok()?));
    }
    let (before, _) = line.split_once("): has requested full access")?;
    let (comm, pid) = before.rsplit_once('(')?;
    let comm = comm.rsplit(": ").next().unwrap_or(comm);
    Some((comm.to_owned(), pid.parse().ok()?))
}
