//! The last lines of the kernel log, kept for a while.
//!
//! In: `/dev/kmsg`. Out: for an event, the lines that belong to it.

use std::{collections::VecDeque, thread::sleep, time::Duration};

use crate::{
    attribute::log_excerpt::{Logged, TEXT_FOLLOWS, lines_of},
    event::{Event, Kind},
    kernel::{
        identity,
        kmsg::{From, Kmsg, Next, Sequence},
        log_clock,
    },
    taint::{flags::bit, release::Release},
};

/// Lines read at once: the kernel's buffer has no more.
const MOST_AT_ONCE: usize = 100_000;
/// Lines kept: a report is some sixty.
const KEPT: usize = 2000;
/// Reports that were given to an event.
const TAKEN: usize = 256;
/// The end of an oops is printed when its flag is set already (`oops_end`, `arch/x86/kernel/dumpstack.c`), and so is
/// the whole text of some flags.
const REST: Duration = Duration::from_millis(60);
/// How often a text that follows is searched for.
const TRIES: u32 = 5;

/// The log from the start on; nothing where it cannot be read.
pub(super) struct Log {
    kmsg: Option<Kmsg>,
    /// What lines mean depends on the kernel.
    release: Option<Release>,
    lines: VecDeque<Logged>,
    taken: VecDeque<u64>,
    sequence: Sequence,
    /// Records that the kernel overwrote before they were read, since the last [`Log::take_overwritten`].
    overwritten: u64,
}

impl Log {
    pub(super) fn open(from: From) -> Self {
        let kmsg = Kmsg::open(from);
        if let Err(error) = &kmsg {
            log::warn!("no lines of the kernel log are kept with events: {error}");
        }
        Self {
            kmsg: kmsg.ok(),
            release: identity::release().ok().as_deref().and_then(Release::parse),
            lines: VecDeque::new(),
            taken: VecDeque::new(),
            sequence: Sequence::default(),
            overwritten: 0,
        }
    }

    /// How many records of the log were overwritten before they were read, since the last call.
    pub(super) fn take_overwritten(&mut self) -> u64 {
        std::mem::take(&mut self.overwritten)
    }

    /// Reads what was printed since.
    pub(super) fn catch_up(&mut self) {
        let Some(kmsg) = &mut self.kmsg else {
            return;
        };
        // A writer that is faster is caught up with the next time.
        for _ in 0..MOST_AT_ONCE {
            match kmsg.read() {
                Ok(Next::Line(line)) => {
                    self.overwritten += self.sequence.missing_before(&line);
                    let boottime_ns = log_clock::boottime_of(line.time_us);
                    self.lines.push_back(Logged {
                        line,
                        boottime_ns,
                        release: self.release,
                    });
                    if self.lines.len() > KEPT {
                        self.lines.pop_front();
                    }
                }
                Ok(Next::Gap) => {}
                Ok(Next::End) => return,
                Err(error) => {
                    log::warn!("the kernel log: {error}");
                    self.kmsg = None;
                    return;
                }
            }
        }
    }

    /// Adds an event's lines to it, as far as they are printed.
    pub(super) fn add_to(&mut self, event: &mut Event) {
        if event.bit() != Some(bit::DIE) {
            self.find(event);
        }
    }

    /// Adds the lines that are printed after the flag is set; it waits for them, so the event is recorded before. Whether
    /// there were some.
    pub(super) fn complete(&mut self, event: &mut Event) -> bool {
        if event.kind != Kind::Taint || !event.log.is_empty() {
            return false;
        }
        match event.bit() {
            Some(bit::DIE) => {
                sleep(REST);
                self.find(event)
            }
            Some(flag) if TEXT_FOLLOWS.contains(&flag) => (0..TRIES).any(|_| {
                sleep(REST);
                self.find(event)
            }),
            _ => false,
        }
    }

    /// Finds the lines among those that were printed by now.
    fn find(&mut self, event: &mut Event) -> bool {
        self.catch_up();
        let taken: Vec<_> = self.taken.iter().copied().collect();
        let found = lines_of(event, self.lines.make_contiguous(), &taken);
        let Some((lines, used)) = found else {
            return false;
        };
        event.log = lines;
        self.taken.extend(used);
        let many = self.taken.len().saturating_sub(TAKEN);
        self.taken.drain(..many);
        true
    }
}
