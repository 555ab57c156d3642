//! The events of a log for people: boot by boot, in the order of the log, and what explains each flag.
//!
//! In: findings and their events, as they are found. Out: text. A report that comes again is counted, not printed again:
//! the summary of the boot tells how often.

use std::{
    collections::{BTreeMap, HashSet},
    io::{self, Write},
};

use super::{
    escape::Escaped,
    event_line::line,
    flag_causes::{self, FlagCauses},
    style::{BOLD, DIM},
};
use crate::{
    event::{Event, Mask},
    history::mark,
    klog::{Boot, Finding},
};

/// Different reports of one boot that are told apart; a log that has more has them all printed.
const MOST: usize = 4096;

/// What was printed of one boot.
#[derive(Debug, Default)]
pub struct Boots {
    open: Option<(Option<String>, Boot)>,
    printed: HashSet<(u32, String)>,
    flags: BTreeMap<u32, FlagCauses>,
    masks: Vec<Mask>,
}

impl Boots {
    /// The events of one finding.
    pub fn enter(
        &mut self,
        finding: &Finding,
        events: &[Event],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let key = (finding.host.clone(), finding.boot.clone());
        let same = self.open.as_ref().is_some_and(|(host, boot)| {
            *host == key.0 && boot.ordinal == key.1.ordinal && boot.id == key.1.id
        });
        if events.is_empty() {
            return Ok(());
        }
        if !same {
            self.end(out)?;
            heading(key.0.as_deref(), &key.1, out)?;
            self.open = Some(key);
        }
        for event in events {
            if self.note(event) {
                writeln!(out, "  {}", line(event))?;
            }
        }
        Ok(())
    }

    /// Counts an event; whether it is the first of its kind.
    fn note(&mut self, event: &Event) -> bool {
        let (Some(taint), Some(cause)) = (&event.taint, &event.cause) else {
            return true;
        };
        let Some(bit) = taint.bit else {
            return true;
        };
        self.masks.extend(
            taint
                .mask_after
                .filter(|mask| self.masks.last() != Some(mask) && self.masks.len() < 64),
        );
        let explained = self.flags.entry(bit).or_default();
        explained.letter = explained.letter.or(taint.letter);
        explained.note(event, cause);
        let what = flag_causes::what(event, cause);
        self.printed.len() >= MOST || self.printed.insert((bit, what.to_owned()))
    }

    /// The summary of the boot that was last, when there was one.
    pub fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let Self {
            open, flags, masks, ..
        } = std::mem::take(self);
        if open.is_none() {
            return Ok(());
        }
        let letter = |bit| mark(bit, flags.get(&bit).and_then(|flag| flag.letter));
        let letters: Vec<String> = masks
            .iter()
            .map(|mask| mask.bits().map(letter).collect())
            .collect();
        writeln!(out, "  {DIM}mask{DIM:#}  {}", letters.join(" -> "))?;
        let last = masks.last().copied();
        for (bit, explained) in flags {
            for line in explained.lines(bit) {
                writeln!(out, "  {line}")?;
            }
            if last.is_some_and(|mask| !mask.has(bit)) {
                writeln!(
                    out,
                    "        {DIM}clear in a state that is printed later{DIM:#}"
                )?;
            }
        }
        writeln!(out)
    }
}

fn heading(host: Option<&str>, boot: &Boot, out: &mut dyn Write) -> io::Result<()> {
    let name = match (&boot.id, boot.ordinal) {
        (Some(id), _) => format!("boot {}", Escaped(id)),
        (None, ordinal) => format!("boot {}", ordinal + 1),
    };
    let release = boot
        .release
        .as_deref()
        .map(|release| format!(", {}", Escaped(release)));
    let host = host.map(|host| format!(", {}", Escaped(host)));
    let (release, host) = (release.unwrap_or_default(), host.unwrap_or_default());
    writeln!(out, "{BOLD}{name}{release}{host}{BOLD:#}")
}
