//! Flags that the kernel log names.
//!
//! In: a line, and what it names. Out: its event, of confidence `logged`.

use super::{Attributor, summary::happened};
use crate::{
    event::{Cause, Class, Confidence, Event, Kind, Module, Source},
    taint::log::{Printer, TaintLine},
};

impl Attributor {
    /// The event of a flag that a line of the kernel log names.
    pub fn logged(
        &mut self,
        line: &TaintLine,
        text: &str,
        boottime_ns: u64,
        line_seq: u64,
    ) -> Event {
        let mut event = self.blank(
            Kind::Taint,
            boottime_ns,
            &format!("{}.log.{line_seq}", line.bit),
        );
        event.taint = Some(self.table.taint(line.bit, self.mask));
        self.mask = self.mask.with(line.bit);
        event.caller.clone_from(&line.code);
        event.log = vec![text.to_owned()];
        let class = match (line.printer, &line.module) {
            (Printer::Loader, _) => Class::ModuleLoad,
            (Printer::Kernel, Some(_)) => Class::ModuleCode,
            (Printer::Kernel, None) => Class::KernelCode,
        };
        let happened = happened(self.table, Some(line.bit));
        let of = line.module.as_ref().or(line.code.as_ref());
        let of = of.map(|name| format!(": {name}")).unwrap_or_default();
        event.cause = Some(Cause {
            class,
            summary: format!("{happened}{of}"),
            confidence: Confidence::Logged,
            sources: vec![Source::Log],
        });
        event.module = line.module.clone().map(|name| Module {
            name: Some(name),
            ..Module::default()
        });
        event
    }
}
