//! Watching without hooks: the mask, read again and again, and the kernel log beside it.
//!
//! In: `/proc/sys/kernel/tainted`, `/dev/kmsg`. Out: events whose cause the log tells (`logged`) or nobody
//! (`unattributed`). What the mask cannot show is lost: repeats that the kernel does not print, writes that
//! were undone in between, who did it.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use tokio::io::{Interest, unix::AsyncFd};

use super::{Error, attributor, before, coverage};
use crate::{
    attribute::Attributor,
    baseline::Past,
    event::{CoverageState, Event, Hook, Mask},
    kernel::{
        identity::{Identity, boottime_ns},
        kmsg::{From, Kmsg, Line, Next},
        log_clock, mask,
    },
    probe::ladder::hook,
    taint::log::TaintLine,
};

/// How often the mask is read: the log wakes the reader earlier.
const PACE: Duration = Duration::from_secs(1);
/// The kernel prints some lines before it sets the flag, and some after.
const APART: Duration = Duration::from_millis(300);

/// A watch without hooks.
pub struct Polled {
    log: Option<AsyncFd<Kmsg>>,
    hooks: Vec<Hook>,
    attributor: Attributor,
    /// Lines that told of a flag, and when they were read.
    told: Vec<(Instant, Line, TaintLine)>,
    /// When the mask was first seen to differ.
    changed: Option<Instant>,
    next: VecDeque<Event>,
}

impl Polled {
    pub(super) fn begin(identity: Identity, reason: &Error) -> Result<Self, Error> {
        let mask = mask::read()?;
        let log = Kmsg::open(From::Now).and_then(|log| {
            // SAFETY: the log owns its descriptor and never replaces it.
            let fd = unsafe { AsyncFd::register_with_interest(log, Interest::READABLE) };
            fd.map_err(std::io::Error::from)
        });
        let log_hook = match &log {
            Ok(_) => hook("log", Some("kmsg"), None),
            Err(error) => hook(
                "log",
                None,
                Some(format!("{}: {error}", crate::kernel::kmsg::PATH)),
            ),
        };
        let reason = format!(
            "no hooks: {reason}. The mask and the kernel log are watched instead: repeats, writes that are undone \
             at once, and who did it are not seen unless the kernel prints them"
        );
        let mut polled = Self {
            log: log.ok(),
            hooks: vec![hook("mask", Some("proc"), None), log_hook],
            attributor: attributor(identity, mask),
            told: Vec::new(),
            changed: None,
            next: VecDeque::new(),
        };
        let began = polled.coverage(CoverageState::Degraded, reason);
        polled.next.push_back(began);
        Ok(polled)
    }

    pub(super) fn hooks(&self) -> &[Hook] {
        &self.hooks
    }

    pub(super) fn explain_before(&mut self, past: &Past, last: usize) {
        let events = before(self.next.front(), &self.attributor, past, last);
        self.next.extend(events);
    }

    pub(super) async fn next(&mut self) -> Result<Event, Error> {
        loop {
            if let Some(event) = self.next.pop_front() {
                return Ok(event);
            }
            log_clock::measure();
            let waiting = self.changed.is_some() || !self.told.is_empty();
            self.wait(if waiting { APART } else { PACE }).await?;
            self.look()?;
        }
    }

    pub(super) fn end(mut self, reason: &str) -> Vec<Event> {
        if let Ok(now) = mask::read() {
            self.settle(now);
        }
        let ended = self.coverage(CoverageState::Ended, reason.to_owned());
        self.next.into_iter().chain([ended]).collect()
    }

    /// Until the log has more, or for so long.
    async fn wait(&mut self, pace: Duration) -> Result<(), Error> {
        let Some(log) = &mut self.log else {
            tokio::time::sleep(pace).await;
            return Ok(());
        };
        let Ok(ready) = tokio::time::timeout(pace, log.readable_mut()).await else {
            return Ok(());
        };
        let mut ready = ready.map_err(Error::Log)?;
        loop {
            match ready.get_inner_mut().read().map_err(Error::Log)? {
                Next::Line(line) => {
                    if let Some(what) = TaintLine::parse(&line.text) {
                        self.told.push((Instant::now(), line, what));
                    }
                }
                // The mask tells of the flags; only the lines are gone.
                Next::Gap => log::warn!("the kernel log moved on before it was read"),
                Next::End => break,
            }
        }
        ready.clear_ready();
        Ok(())
    }

    fn look(&mut self) -> Result<(), Error> {
        let now = mask::read()?;
        if now != self.attributor.mask {
            self.changed.get_or_insert_with(Instant::now);
        }
        let oldest = self
            .told
            .iter()
            .map(|(at, ..)| *at)
            .chain(self.changed)
            .min();
        if oldest.is_some_and(|at| at.elapsed() >= APART) {
            self.settle(now);
        }
        Ok(())
    }

    /// Each line whose flag is set is an event, and each change that no line tells of.
    fn settle(&mut self, now: Mask) {
        self.changed = None;
        for (_, line, what) in std::mem::take(&mut self.told) {
            if now.has(what.bit) {
                let event = self.attributor.logged(
                    &what,
                    &line.text,
                    log_clock::boottime_of(line.time_us),
                    line.seq,
                );
                self.next.push_back(event);
            }
        }
        if now != self.attributor.mask {
            let events = self.attributor.reconciled(now, boottime_ns());
            self.next.extend(events);
        }
    }

    fn coverage(&self, state: CoverageState, reason: String) -> Event {
        coverage(&self.attributor, state, reason, &self.hooks)
    }
}
