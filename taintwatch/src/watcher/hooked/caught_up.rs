//! All that happened so far, for who has to know that nothing is on its way.
//!
//! In: the ring, the counts, the mask. Out: the events that no earlier call gave, with every count up to now.

use std::time::{Duration, Instant};

use super::{Hooked, SETTLE};
use crate::{event::Event, kernel::mask, watcher::Error};

/// The kernel may print a line between the record of a flag and the write of its bit, on a slow console.
const PATIENCE: Duration = Duration::from_secs(5);

impl Hooked {
    /// The events of all that happened before this call.
    pub(in crate::watcher) async fn caught_up(&mut self) -> Result<Vec<Event>, Error> {
        // A record may be on its way.
        tokio::time::sleep(SETTLE).await;
        while let Some(bytes) = self.stream.try_next() {
            self.take(&bytes);
        }
        let began = Instant::now();
        self.reconcile().await?;
        while mask::read()? != self.attributor.mask && began.elapsed() < PATIENCE {
            self.reconcile().await?;
        }
        let counted = self.counted(self.attributor.mask, true)?;
        self.next.extend(counted);
        self.check()?;
        self.last_check = Instant::now();
        Ok(self.next.drain(..).collect())
    }
}
