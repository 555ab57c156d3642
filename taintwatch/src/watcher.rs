//! The pipeline: records in ring order become events, one way, in one task.
//!
//! In: a running watch. Out: events, among them the losses and the end of the watch.

use std::{collections::VecDeque, io, time::Duration};

use crate::{
    attribute::Attributor,
    decode::decode,
    enrich,
    event::{Coverage, CoverageState, Event, Hook, Kind, Lost},
    kernel::identity::{Identity, boottime_ns, wall_clock},
    probe::{self, watch::Watch},
    ring::Ring,
};

/// How often the loss counter is read while nothing happens.
const LOSS_PACE: Duration = Duration::from_secs(10);

/// A running watch and what it has yet to tell.
pub struct Watcher {
    watch: Watch,
    ring: Ring,
    attributor: Attributor,
    told_lost: u64,
    next: VecDeque<Event>,
}

/// Why a watch did not begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Probe(#[from] probe::Error),
    #[error("read who this machine is: {0}")]
    Identity(io::Error),
    #[error("wait for the ring buffer: {0}")]
    Ring(io::Error),
}

impl Watcher {
    /// Begins to watch; the first event tells of the cover.
    pub fn begin() -> Result<Self, Error> {
        let identity = Identity::read().map_err(Error::Identity)?;
        let mut watch = Watch::begin()?;
        let taken = || Error::Ring(io::Error::other("it is in use already"));
        let ring = Ring::new(watch.take_ring().ok_or_else(taken)?).map_err(Error::Ring)?;
        let symbols = std::mem::take(&mut watch.symbols);
        let attributor = Attributor::new(identity, symbols, wall_clock);
        let mut watcher = Self {
            watch,
            ring,
            attributor,
            told_lost: 0,
            next: VecDeque::new(),
        };
        let began = watcher.began();
        watcher.next.push_back(began);
        Ok(watcher)
    }

    /// Each layer, and what won.
    #[must_use]
    pub fn hooks(&self) -> &[Hook] {
        &self.watch.hooks
    }

    /// The next event; waits for one.
    pub async fn next(&mut self) -> Result<Event, Error> {
        loop {
            if let Some(event) = self.next.pop_front() {
                return Ok(event);
            }
            match tokio::time::timeout(LOSS_PACE, self.ring.next()).await {
                Ok(bytes) => self.take(&bytes.map_err(Error::Ring)?),
                Err(_nothing_happened) => {}
            }
            self.count_losses()?;
        }
    }

    /// What is in the ring now, and the end of the cover.
    #[must_use]
    pub fn end(mut self, reason: &str) -> Vec<Event> {
        while let Some(bytes) = self.ring.try_next() {
            self.take(&bytes);
        }
        let ended = self.coverage(CoverageState::Ended, reason.to_owned());
        self.next.into_iter().chain([ended]).collect()
    }

    fn take(&mut self, bytes: &[u8]) {
        match decode(bytes) {
            Ok(record) => {
                if let Some(mut event) = self.attributor.event(&record) {
                    if let Some(task) = &mut event.task {
                        enrich::task(task);
                    }
                    self.next.push_back(event);
                }
            }
            Err(error) => {
                let event = self.lost(1, &format!("a record could not be read: {error}"));
                self.next.push_back(event);
            }
        }
    }

    fn count_losses(&mut self) -> Result<(), Error> {
        let lost = self.watch.lost()?;
        let more = lost.saturating_sub(self.told_lost);
        if more > 0 {
            self.told_lost = lost;
            let event = self.lost(more, "the ring buffer was full");
            self.next.push_back(event);
        }
        Ok(())
    }

    fn began(&self) -> Event {
        let missing: Vec<_> = self
            .watch
            .hooks
            .iter()
            .filter(|hook| hook.mechanism.is_none())
            .collect();
        if missing.is_empty() {
            return self.coverage(CoverageState::Began, "every layer is in place".to_owned());
        }
        let names: Vec<_> = missing.iter().map(|hook| hook.layer.as_str()).collect();
        self.coverage(
            CoverageState::Degraded,
            format!("without {}", names.join(", ")),
        )
    }

    fn coverage(&self, state: CoverageState, reason: String) -> Event {
        let mut event = self
            .attributor
            .blank(Kind::Coverage, boottime_ns(), "watch");
        let hooks = self.watch.hooks.clone();
        event.coverage = Some(Coverage {
            state,
            reason,
            mask: Some(self.watch.mask),
            hooks,
        });
        event
    }

    fn lost(&self, count: u64, reason: &str) -> Event {
        let mut event = self.attributor.blank(Kind::Lost, boottime_ns(), "ring");
        event.lost = Some(Lost {
            count,
            reason: reason.to_owned(),
        });
        event
    }
}
