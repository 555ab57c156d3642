//! A flag that a line or a report tells of, as an event.
//!
//! In: the finding, what its first line tells. Out: the event. The code that a report names beside is the culprit of
//! an oops and of a WARN only.

use super::{blank, running, summary};
use crate::{
    event::{Cause, Class, Confidence, Event, Mask, Module},
    klog::{Finding, Origin},
    taint::{
        flags::{VENDOR, bit},
        log::{TaintLine, Teller},
        tables::Table,
    },
};

/// A flag that the log tells of.
pub(in crate::klog) fn told(
    finding: &Finding,
    told: &TaintLine,
    before: Mask,
    origin: &Origin,
) -> Event {
    let mut event = blank(finding, told.bit, told.module.as_deref(), "told", origin);
    let table = table_of(told, finding, origin);
    event.taint = Some(table.taint(told.bit, before));
    let facts = &finding.facts;
    let is_first = !before.has(told.bit);
    let by_report = told.code.is_none() && told.module.is_none() && names_its_place(told);
    let (code, module) = if by_report {
        (facts.code.clone(), facts.module.clone())
    } else {
        (told.code.clone(), told.module.clone())
    };
    let class = class(told, module.is_some());
    event.cpu = facts.cpu;
    let running = running::running(finding, told);
    event.context = running.context();
    event.cause = Some(Cause {
        class,
        summary: summary::told(
            told,
            class,
            &summary::Around {
                table,
                code: code.as_deref(),
                module: module.as_deref(),
                running: &running,
                panic: facts.panic.as_deref(),
                is_first,
                line: finding
                    .lines
                    .first()
                    .map(String::as_str)
                    .filter(|_| told.from == Teller::Kernel && !told.report),
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
        .filter(|_| told.bit != bit::SOFTLOCKUP)
        .map(|code| summary::place(&code, module.as_deref()));
    event.task = running.task();
    event.log.clone_from(&finding.lines);
    event
}

/// Whether a report says by its registers where the kernel was. The reports of `dump_stack` alone have none of their own:
/// what stands in them is of somebody whom an interrupt interrupted.
fn names_its_place(told: &TaintLine) -> bool {
    let dumps_registers = |place| {
        matches!(
            place,
            "die"
                | "watchdog_timer_fn"
                | "end_report"
                | "kfence_report_error"
                | "kmsan_report"
                | "do_machine_check"
                | "arm64_serror_panic"
        )
    };
    // A WARN has no place in the table.
    told.report && told.place.is_none_or(dumps_registers)
}

/// A text that one vendor's kernels alone print tells whose flag it is.
fn table_of(told: &TaintLine, finding: &Finding, origin: &Origin) -> &'static Table {
    let table = origin.table_of(finding);
    match Table::named(told.vendor) {
        Some(own) if told.vendor != VENDOR && table.flag(told.bit).is_none() => own,
        _ => table,
    }
}

fn class(told: &TaintLine, in_module: bool) -> Class {
    match (told.from, told.bit) {
        (Teller::Loader, _) => Class::ModuleLoad,
        // A report of bad memory names who came upon it, a lockup where the CPU was: that code is not guilty of it.
        (Teller::Kernel, bit::WARN | bit::DIE) if in_module => Class::ModuleCode,
        (Teller::Kernel, _) => Class::KernelCode,
    }
}
