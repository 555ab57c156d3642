//! One boot of a log: the taint state that it reached, and the causes of its flags.

use std::io::{self, Write};

use super::causes::Causes;
use crate::{
    event::Mask,
    history,
    klog::{LoggedBoot, Settled},
    output::{
        escape::Escaped,
        style::{BOLD, DIM},
    },
    taint::flags,
};

/// One boot.
#[derive(Debug)]
pub(super) struct BootText {
    host: Option<String>,
    boot: LoggedBoot,
    causes: Causes,
    mask: Option<Mask>,
    /// A flag that no bit is known of may be set, or is.
    is_uncertain: bool,
    denied: Mask,
}

impl BootText {
    pub(super) fn new(settled: &Settled) -> Self {
        let mut new = Self {
            host: settled.host.clone(),
            boot: settled.boot.clone(),
            causes: Causes::default(),
            mask: None,
            is_uncertain: false,
            denied: Mask(0),
        };
        new.add(settled);
        new
    }

    pub(super) fn is_of(&self, settled: &Settled) -> bool {
        let (ordinal, id) = (settled.boot.ordinal, &settled.boot.id);
        self.host == settled.host && self.boot.ordinal == ordinal && self.boot.id == *id
    }

    pub(super) fn add(&mut self, settled: &Settled) {
        if self.boot.release.is_none() {
            self.boot.release.clone_from(&settled.boot.release);
        }
        let denied = settled.denied.iter().copied();
        self.denied = denied.fold(self.denied, Mask::with);
        for event in &settled.events {
            self.causes.add(event);
            if let Some(taint) = &event.taint {
                self.mask = taint.mask_after.or(self.mask);
                self.is_uncertain |= taint.bit.is_none();
            }
        }
    }

    pub(super) fn has_something(&self) -> bool {
        !self.causes.is_empty() || self.denied != Mask(0)
    }

    /// `boot 1, 6.1.0: tainted OE, 12288 = 0x3000`; of files that show a machine's state: `the machine, 6.1.0`.
    pub(super) fn answer(&self, is_state: bool) -> String {
        let heading = if is_state {
            self.named("the state of the machine".to_owned())
        } else {
            self.named(match (&self.boot.id, self.boot.ordinal) {
                (Some(id), _) => format!("boot {}", Escaped(id)),
                (None, ordinal) => format!("boot {}", ordinal + 1),
            })
        };
        let uncertain = "a flag that is not certain";
        let state = match (self.mask.filter(|mask| *mask != Mask(0)), self.is_uncertain) {
            (Some(mask), uncertain) => {
                let letters = self.causes.letters(mask);
                let also = if uncertain {
                    ", and one more flag that is not certain"
                } else {
                    ""
                };
                format!("tainted {letters}, {} = {mask}{also}", mask.0)
            }
            (None, true) => uncertain.to_owned(),
            (None, false) => "no flag".to_owned(),
        };
        format!("{BOLD}{heading}{BOLD:#}: {state}")
    }

    fn named(&self, name: String) -> String {
        let release = self.boot.release.as_deref();
        let release = release.map(|release| format!(", {}", Escaped(release)));
        let host = self.host.as_deref();
        let host = host.map(|host| format!(", {}", Escaped(host)));
        name + &release.unwrap_or_default() + &host.unwrap_or_default()
    }

    pub(super) fn print(&self, width: usize, out: &mut dyn Write) -> io::Result<()> {
        self.causes.print(width, out)?;
        for bit in self.denied.bits() {
            let flag = history::mark(bit, flags::by_bit(bit).map(|flag| flag.letter));
            let note = "is clear in a state that the kernel printed later, so a line that seemed to set it did not";
            writeln!(out, "  {DIM}{flag} {note}{DIM:#}")?;
        }
        Ok(())
    }
}
