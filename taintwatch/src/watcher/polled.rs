//! Monitoring without hooks: the mask, read again and again, and the kernel log beside it.
//!
//! In: `/proc/sys/kernel/tainted`, `/dev/kmsg`. Out: events whose cause is a line of the log (`logged`) or not known
//! (`unattributed`). What the mask cannot show is lost: repeats that the kernel does not print, writes that were undone in
//! between, and the task.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use tokio::io::{Interest, unix::AsyncFd};

use super::{
    error::Error,
    events::{Change, attributor, before, coverage, overwritten_lines},
};
use crate::{
    attribute::Attributor,
    baseline::Past,
    event::{CoverageState, Event, Hook, Mask},
    kernel::{
        identity::{Identity, boottime_ns},
        kmsg::{self, From, Kmsg, Line, Next, Sequence},
        log_clock, mask,
    },
    probe::{
        attempts::{Refused, hook},
        hooks::{LOG, MASK},
        mechanism::Mechanism,
    },
    taint::{log::TaintLine, release::Release},
};

/// How often the mask is read: the log wakes the reader earlier.
const PACE: Duration = Duration::from_secs(1);
/// The kernel prints some lines before it sets the flag, and some after.
const APART: Duration = Duration::from_millis(300);

/// What is lost without hooks: the end of the reason.
pub const LIMITS: &str = "The mask and the kernel log are read instead: repeats, writes that are undone at once, and \
    the task are not seen unless the kernel prints them";

/// Reads the mask and the log.
pub struct Polled {
    log: Option<AsyncFd<Kmsg>>,
    hooks: Vec<Hook>,
    attributor: Attributor,
    /// Lines that name a flag, and when they were read.
    lines: Vec<(Instant, Line, TaintLine)>,
    sequence: Sequence,
    /// What lines mean depends on the kernel.
    release: Option<Release>,
    /// When the mask was first seen to differ.
    changed: Option<Instant>,
    next: VecDeque<Event>,
}

impl Polled {
    pub(super) fn start(identity: Identity, reason: &Error) -> Result<Self, Error> {
        let mask = mask::read()?;
        let log = Kmsg::open(From::Now).and_then(|log| {
            // SAFETY: the log owns its descriptor and never replaces it.
            let fd = unsafe { AsyncFd::register_with_interest(log, Interest::READABLE) };
            fd.map_err(std::io::Error::from)
        });
        let log_hook = match &log {
            Ok(_) => hook(LOG, Some(Mechanism::Kmsg), &[]),
            Err(error) => {
                let why = format!("{}: {error}", kmsg::PATH);
                let mechanism = Some(Mechanism::Kmsg);
                hook(LOG, None, &[Refused { mechanism, why }])
            }
        };
        let mut hooks = reason.refused().to_vec();
        hooks.extend([hook(MASK, Some(Mechanism::Proc), &[]), log_hook]);
        let reason = reason.to_string();
        log::debug!("no hooks: {reason}");
        // Some errors go on over many lines: the verifier's, for example.
        let cause = reason.lines().next().unwrap_or_default();
        let reason = format!("no hooks: {cause}. {LIMITS}");
        let mut polled = Self {
            log: log.ok(),
            hooks,
            release: Release::parse(&identity.release),
            attributor: attributor(identity, mask),
            lines: Vec::new(),
            sequence: Sequence::default(),
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
            let waiting = self.changed.is_some() || !self.lines.is_empty();
            self.wait(if waiting { APART } else { PACE }).await?;
            self.check()?;
        }
    }

    /// The events of all that happened before this call, as far as the mask and the log show it.
    pub(super) async fn caught_up(&mut self) -> Result<Vec<Event>, Error> {
        tokio::time::sleep(APART).await;
        self.wait(Duration::ZERO).await?;
        self.settle(mask::read()?);
        Ok(self.next.drain(..).collect())
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
        let mut overwritten = 0;
        loop {
            match ready.get_inner_mut().read().map_err(Error::Log)? {
                Next::Line(line) => {
                    overwritten += self.sequence.missing_before(&line);
                    if let Some(what) = TaintLine::parse_on(&line.text, self.release) {
                        self.lines.push((Instant::now(), line, what));
                    }
                }
                // The next line tells how many are gone.
                Next::Gap => {}
                Next::End => break,
            }
        }
        ready.clear_ready();
        if overwritten > 0 {
            // The mask still has the flags; only the lines are gone.
            self.next
                .push_back(overwritten_lines(&self.attributor, overwritten));
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), Error> {
        let now = mask::read()?;
        if now != self.attributor.mask {
            self.changed.get_or_insert_with(Instant::now);
        }
        let oldest = self
            .lines
            .iter()
            .map(|(at, ..)| *at)
            .chain(self.changed)
            .min();
        if oldest.is_some_and(|at| at.elapsed() >= APART) {
            self.settle(now);
        }
        Ok(())
    }

    /// Each line whose flag is set is an event, and each change that no line names.
    fn settle(&mut self, now: Mask) {
        self.changed = None;
        for (_, line, what) in std::mem::take(&mut self.lines) {
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
        let change = Change {
            state,
            reason,
            hooks: self.hooks.clone(),
            self_test: None,
            attached_since_ns: None,
            unwatched: None,
        };
        coverage(&self.attributor, change)
    }
}
