//! Events on their way to the journal: recording does not wait for journald.
//!
//! In: recorded events. Out: journal entries, in order. When journald is stopped, stuck or busy, its socket blocks the
//! writer: so a thread of its own writes. When the queue is full, events are not sent, and how many is said.

use std::time::Duration;

use crate::{
    event::Event,
    output::journald,
    queue::{self, End, Queue},
};

/// Events that the queue holds.
const CAPACITY: usize = 4096;
/// How long the end waits for the events in the queue.
const FLUSH: Duration = Duration::from_secs(3);

/// The sending side; without a queue it takes events and sends none.
pub(crate) struct JournalQueue(Option<Sides>);

type Sides = (Queue<Box<Event>>, End<Box<Event>>);

impl JournalQueue {
    pub(crate) fn begin() -> Self {
        let send = |event: Box<Event>, missed: u64| {
            if missed > 0 {
                log::warn!(
                    "the journal was behind: {missed} events were not sent to it; the history has them"
                );
            }
            // journald may start later than this program.
            if journald::is_there()
                && let Err(error) = journald::send(&event)
            {
                log::warn!("the journal did not take event {}: {error}", event.id);
            }
        };
        Self(Some(queue::begin(CAPACITY, send)))
    }

    pub(crate) const fn off() -> Self {
        Self(None)
    }

    /// Queues an event.
    pub(crate) fn send(&self, event: &Event) {
        if let Some((queue, _)) = &self.0 {
            queue.put(Box::new(event.clone()));
        }
    }
}

impl Drop for JournalQueue {
    fn drop(&mut self) {
        if let Some((_, end)) = &self.0
            && !end.wait(FLUSH)
        {
            log::warn!("the journal did not take the last events: they are only in the history");
        }
    }
}
