//! What `analyze` prints of a log: for each boot the taint state that it reached, and below it each cause once.
//!
//! In: findings and their events, in the order of the log. Out: text, when a boot has ended.

mod causes;

use std::io::{self, Write};

use super::{
    escape::Escaped,
    style::{BOLD, DIM},
    wrap,
};
use crate::{
    event::{Event, Mask},
    klog::{Finding, LoggedBoot},
};
use causes::Causes;

/// One boot of a log, until its last event is known.
#[derive(Debug, Default)]
pub struct BootText {
    boot: Option<(Option<String>, LoggedBoot)>,
    causes: Causes,
    mask: Option<Mask>,
}

impl BootText {
    /// Adds the events of one finding; prints the boot before when another one begins.
    pub fn add(
        &mut self,
        finding: &Finding,
        events: &[Event],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let is_same = self.boot.as_ref().is_some_and(|(host, boot)| {
            let (ordinal, id) = (finding.boot.ordinal, &finding.boot.id);
            *host == finding.host && boot.ordinal == ordinal && boot.id == *id
        });
        if !is_same {
            self.end(out)?;
            self.boot = Some((finding.host.clone(), finding.boot.clone()));
        }
        for event in events {
            self.causes.add(event);
            let taint = event.taint.as_ref();
            self.mask = taint.and_then(|taint| taint.mask_after).or(self.mask);
        }
        Ok(())
    }

    /// Prints the boot, when there was one.
    pub fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let Self { boot, causes, mask } = std::mem::take(self);
        let Some((host, boot)) = boot else {
            return Ok(());
        };
        let heading = heading(host.as_deref(), &boot);
        let state = mask.map_or_else(String::new, |mask| {
            format!(": tainted {}, {} = {mask}", causes.letters(mask), mask.0)
        });
        writeln!(out, "{BOLD}{heading}{BOLD:#}{state}")?;
        causes.print(wrap::width(), out)?;
        for flag in mask.map(|mask| causes.clear_in(mask)).unwrap_or_default() {
            let note = "is clear in a state that the kernel printed later";
            writeln!(out, "  {DIM}{flag} {note}{DIM:#}")?;
        }
        writeln!(out)
    }
}

fn heading(host: Option<&str>, boot: &LoggedBoot) -> String {
    let name = match (&boot.id, boot.ordinal) {
        (Some(id), _) => format!("boot {}", Escaped(id)),
        (None, ordinal) => format!("boot {}", ordinal + 1),
    };
    let release = boot
        .release
        .as_deref()
        .map(|release| format!(", {}", Escaped(release)));
    let host = host.map(|host| format!(", {}", Escaped(host)));
    name + &release.unwrap_or_default() + &host.unwrap_or_default()
}
