//! A flag that a line or a report shows, as an event.
//!
//! In: the finding, its parsed first line. Out: the event. The code that a report names is to blame for the flag of
//! an oops and of a WARN only.

use super::{blank, running, summary};
use crate::{
    event::{Cause, Class, Confidence, Event, Mask, Module, Taint},
    klog::{Finding, Origin},
    taint::{
        flags::{VENDOR, bit},
        log::{Printer, TaintLine},
        tables::Table,
    },
};

/// The event of a flag that the log shows.
pub(in crate::klog) fn from_taint_line(
    finding: &Finding,
    taint_line: &TaintLine,
    before: Mask,
    origin: &Origin,
) -> Event {
    let mut event = blank(
        finding,
        taint_line.bit,
        taint_line.module.as_deref(),
        // A part of event ids, and so fixed.
        "told",
        origin,
    );
    let table = table_of(taint_line, finding, origin);
    event.taint = Some(table.taint(taint_line.bit, before));
    let facts = &finding.facts;
    let is_first = !before.has(taint_line.bit);
    let by_report =
        taint_line.code.is_none() && taint_line.module.is_none() && names_its_place(taint_line);
    let (code, module) = if by_report {
        (facts.code.clone(), facts.module.clone())
    } else {
        (taint_line.code.clone(), taint_line.module.clone())
    };
    let class = class(taint_line, module.is_some());
    event.cpu = facts.cpu;
    let running = running::running(finding, taint_line);
    event.context = running.context();
    event.cause = Some(Cause {
        class,
        summary: summary::sentence(
            taint_line,
            class,
            &summary::Around {
                table,
                code: code.as_deref(),
                module: module.as_deref(),
                running: &running,
                panic: facts.panic.as_deref(),
                is_first,
                loader_text: finding
                    .lines
                    .first()
                    .map(String::as_str)
                    .filter(|_| taint_line.printer == Printer::Loader),
                line: finding
                    .lines
                    .first()
                    .map(String::as_str)
                    .filter(|_| taint_line.printer == Printer::Kernel && !taint_line.report),
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
    // A soft lockup is where the CPU was, not what it did wrong; with no module to blame the sentence names the place.
    event.caller = code
        .filter(|_| taint_line.bit != bit::SOFTLOCKUP)
        .map(|code| summary::place(&code, module.as_deref()));
    event.task = running.task();
    event.log.clone_from(&finding.lines);
    event
}

/// A report of which it is not known whether its kernel set a flag with it, and why.
pub(in crate::klog) fn unsure(
    finding: &Finding,
    taint_line: &TaintLine,
    why: &str,
    before: Mask,
    origin: &Origin,
) -> Event {
    let told = from_taint_line(finding, taint_line, before, origin);
    let mut event = blank(finding, u32::MAX, None, "unsure", origin);
    event.taint = Some(Taint {
        mask_before: Some(before),
        ..Taint::default()
    });
    event.cause = told.cause.map(|cause| Cause {
        class: Class::Unknown,
        summary: format!("{}; {why}", cause.summary),
        ..cause
    });
    event.cpu = told.cpu;
    event.context = told.context;
    event.log = told.log;
    event
}

/// Whether a report says by its registers where the kernel was. The reports of `dump_stack` alone have none of their
/// own: what they show may belong to a task that an interrupt interrupted.
fn names_its_place(taint_line: &TaintLine) -> bool {
    let dumps_registers = |place| {
        matches!(
            place,
            "die"
                | "watchdog_timer_fn"
                | "end_report"
                | "kfence_report_error"
                | "kmsan_report"
                | "do_machine_check"
                | "machine_check_exception"
                | "arm64_serror_panic"
        )
    };
    // A WARN has no place in the table.
    taint_line.report && taint_line.place.is_none_or(dumps_registers)
}

/// A text that only one vendor's kernels print shows the vendor.
fn table_of(taint_line: &TaintLine, finding: &Finding, origin: &Origin) -> &'static Table {
    let table = origin.table_of(finding);
    match Table::named(taint_line.vendor) {
        Some(own) if taint_line.vendor != VENDOR && table.flag(taint_line.bit).is_none() => own,
        _ => table,
    }
}

fn class(taint_line: &TaintLine, in_module: bool) -> Class {
    match (taint_line.printer, taint_line.bit) {
        (Printer::Loader, _) => Class::ModuleLoad,
        // A report of bad memory names the code that found it, a lockup the place where the CPU was: neither is the
        // cause.
        (Printer::Kernel, bit::WARN | bit::DIE) if in_module => Class::ModuleCode,
        (Printer::Kernel, _) => Class::KernelCode,
    }
}
