//! Flags that the kernel log tells of.
//!
//! In: what a line says. Out: the event, as sure as a line is.

use super::{Attributor, cause};
use crate::{
    event::{Cause, Class, Confidence, Event, Kind, Module, Source},
    taint::log::{Printer, TaintLine},
};

impl Attributor {
    /// A flag that a line of the kernel log tells of.
    pub fn logged(
        &mut self,
        told: &TaintLine,
        line: &str,
        boottime_ns: u64,
        line_seq: u64,
    ) -> Event {
        let mut event = self.blank(
            Kind::Taint,
            boottime_ns,
            &format!("{}.log.{line_seq}", told.bit),
        );
        event.taint = Some(self.table.taint(told.bit, self.mask));
        self.mask = self.mask.with(told.bit);
        event.caller.clone_from(&told.code);
        event.log = vec![line.to_owned()];
        let class = match (told.printer, &told.module) {
            (Printer::Loader, _) => Class::ModuleLoad,
            (Printer::Kernel, Some(_)) => Class::ModuleCode,
            (Printer::Kernel, None) => Class::KernelCode,
        };
        let happened = cause::happened(self.table, Some(told.bit));
        let of = told.module.as_ref().or(told.code.as_ref());
        let of = of.map(|name| format!(": {name}")).unwrap_or_default();
        event.cause = Some(Cause {
            class,
            summary: format!("{happened}{of}"),
            confidence: Confidence::Logged,
            sources: vec![Source::Log],
        });
        event.module = told.module.clone().map(|name| Module {
            name: Some(name),
            ..Module::default()
        });
        event
    }
}
