//! The last lines of the kernel log, kept for a while.
//!
//! In: `/dev/kmsg`. Out: for an event, the lines that belong to it.

use std::collections::VecDeque;

use crate::{
    attribute::log_excerpt::{Logged, TEXT_FOLLOWS, lines_of},
    enrich::Step,
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
/// the whole text of some flags: it is looked for from then on, and until then.
const FROM_NS: u64 = 60_000_000;
const UNTIL_NS: u64 = 500_000_000;

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

    /// Adds the lines that are printed after the flag is set, when they are there.
    pub(super) fn complete(&mut self, event: &mut Event) -> Step {
        let nothing = Step {
            added: false,
            is_whole: true,
        };
        if event.kind != Kind::Taint || !event.log.is_empty() {
            return nothing;
        }
        let follows = |flag: u32| flag == bit::DIE || TEXT_FOLLOWS.contains(&flag);
        if !event.bit().is_some_and(follows) {
            return nothing;
        }
        let at_ns = event.boottime_ns.unwrap_or(0);
        let age_ns = identity::boottime_ns().saturating_sub(at_ns);
        if age_ns < FROM_NS {
            return Step::default();
        }
        let added = self.find(event);
        Step {
            added,
            is_whole: added || event.bit() == Some(bit::DIE) || age_ns >= UNTIL_NS,
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
