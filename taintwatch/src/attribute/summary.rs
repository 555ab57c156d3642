//! The sentence that says what caused a change of the mask.
//!
//! In: the class of the cause and its evidence, the event so far. Out: one sentence for people, unescaped.

use super::{evidence::RecordEvidence, frames::Frame};
use crate::{
    event::{Cause, Class, Event, Mask, Task},
    taint::{
        callers::{Caller, Part},
        flags::bit,
        tables::Table,
    },
};

/// The sentence; `module` is the module of the cause.
pub(super) fn summary(
    table: &Table,
    evidence: &RecordEvidence<'_>,
    event: &Event,
    class: Class,
    module: Option<&str>,
) -> String {
    if let Some(known) = evidence.known() {
        return by_known_place(known, evidence, event);
    }
    let happened = happened(table, evidence.bit);
    let set = was_set(table, evidence.bit);
    let module = module.unwrap_or("a module whose name is not known");
    let place = evidence
        .caller()
        .map_or_else(|| "code without a symbol".to_owned(), Frame::to_string);
    let task = event.task.as_ref();
    let by = task.map_or_else(String::new, by_task);
    let during = task.map_or_else(String::new, while_running);
    match class {
        Class::ModuleLoad => format!("{happened}: {module}, loaded{by}"),
        Class::ModuleCode if evidence.bit == Some(bit::DIE) => {
            format!("{set} in code of the module {module}, at {place}{during}")
        }
        Class::ModuleCode => format!("{set} in code of the module {module}, at {place}"),
        Class::SysctlWrite => format!("a write to /proc/sys/kernel/tainted{by}"),
        Class::ModuleUnload => format!("{happened}: {module}{by}"),
        Class::DirectWrite => {
            let bits = bits(table, event);
            format!("{place} wrote the mask past add_taint: {bits}")
        }
        Class::KernelCode => format!("{set} at {place}{during}"),
        Class::Boot | Class::Unknown => unknown(&set, evidence),
    }
}

fn unknown(set: &str, evidence: &RecordEvidence<'_>) -> String {
    if let Some(caller) = evidence.caller() {
        return format!("{set}; the code at {caller} has no symbol");
    }
    let Some(from) = evidence.nearest() else {
        return format!("{set}; no stack shows the code that set it");
    };
    let fits = evidence.gap.map(|gap| gap.fits.as_slice());
    let fits = fits.unwrap_or_default().iter().map(Frame::to_string);
    let fits = fits.collect::<Vec<_>>().join(" or ");
    let which = if fits.is_empty() {
        fits
    } else {
        format!(": {fits}")
    };
    format!("{set} by code called from {from}, which left no frame{which}")
}

/// The cause with a word for a load that its task tries again.
pub(super) fn of_attempt(mut cause: Cause, attempt: Option<u32>) -> Cause {
    if let Some(attempt) = attempt {
        cause.summary = format!("{}, in its attempt {attempt}", cause.summary);
    }
    cause
}

/// What it means that a flag is set, in a few words.
pub(super) fn happened(table: &Table, bit: Option<u32>) -> String {
    match bit.map(|bit| (bit, table.flag(bit))) {
        None => "a flag was set again; which one is not known".to_owned(),
        Some((bit, None)) => format!("bit {bit} was set"),
        Some((_, Some(flag))) => flag.happened.to_owned(),
    }
}

/// A letter names the usual reason of a flag; code that is not known may have set it for another one.
fn was_set(table: &Table, flag: Option<u32>) -> String {
    match flag {
        Some(bit::WARN | bit::DIE) | None => happened(table, flag),
        Some(bit) => table.flag(bit).map_or_else(
            || happened(table, flag),
            |flag| format!("the flag {} ({}) was set", flag.letter, flag.name),
        ),
    }
}

/// The known place's own sentence, with the task that has a part in it.
fn by_known_place(known: &Caller, evidence: &RecordEvidence<'_>, event: &Event) -> String {
    let module = evidence.caller().and_then(Frame::module);
    let of = module.map_or_else(String::new, |module| format!(" [{module}]"));
    let task = match (&event.task, known.part) {
        (Some(task), Part::Asked) => by_task(task),
        (Some(task), Part::Victim) => while_running(task),
        _ => String::new(),
    };
    format!("{}{of}{task}", known.sentence)
}

fn by_task(task: &Task) -> String {
    format!(" by {} (pid {})", task.comm, task.pid)
}

fn while_running(task: &Task) -> String {
    format!(", while {} (pid {}) was running", task.comm, task.pid)
}

/// `set W, cleared PO`: letters alone, since nothing is known of a reason.
fn bits(table: &Table, event: &Event) -> String {
    let letters = |bits: Option<&Vec<u32>>| {
        let mask = bits
            .into_iter()
            .flatten()
            .fold(Mask(0), |mask, bit| mask.with(*bit));
        (mask != Mask(0)).then(|| table.letters(mask))
    };
    let taint = event.taint.as_ref();
    let set = letters(taint.and_then(|taint| taint.bits_set.as_ref()));
    let cleared = letters(taint.and_then(|taint| taint.bits_cleared.as_ref()));
    match (set, cleared) {
        (Some(set), Some(cleared)) => format!("set {set}, cleared {cleared}"),
        (Some(set), None) => format!("set {set}"),
        (None, Some(cleared)) => format!("cleared {cleared}"),
        (None, None) if taint.is_none_or(|taint| taint.bits_set.is_none()) => {
            "which bits each write changed is not known".to_owned()
        }
        (None, None) => "changed no bit".to_owned(),
    }
}
