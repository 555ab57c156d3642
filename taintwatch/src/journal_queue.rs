//! Events on their way to the journal: recording does not wait for journald.
//!
//! In: recorded events. Out: journal entries, in order. When journald is stopped, stuck or busy, its socket blocks the
//! writer: so a thread of its own writes. When the queue is full, an event is not sent, with a warning.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel},
    thread,
    time::Duration,
};

use crate::{event::Event, output::journald};

/// Events that the queue holds.
const CAPACITY: usize = 4096;
/// How long the end waits for the events in the queue.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// The sending side.
pub(crate) struct JournalQueue {
    events: Option<SyncSender<Box<Event>>>,
    ended: Receiver<()>,
}

impl JournalQueue {
    pub(crate) fn begin() -> Self {
        Self::with(|event| {
            // journald may start later than this program.
            if journald::is_there()
                && let Err(error) = journald::send(event)
            {
                log::warn!("the journal did not take event {}: {error}", event.id);
            }
        })
    }

    /// Takes events, and sends none.
    pub(crate) fn off() -> Self {
        let (_, ended) = channel();
        Self {
            events: None,
            ended,
        }
    }

    fn with(send: impl Fn(&Event) + Send + 'static) -> Self {
        let (events, queue) = sync_channel::<Box<Event>>(CAPACITY);
        let (end, ended) = channel();
        thread::spawn(move || {
            for event in queue {
                send(&event);
            }
            drop(end);
        });
        Self {
            events: Some(events),
            ended,
        }
    }

    /// Queues an event, or warns that the queue is full.
    pub(crate) fn send(&self, event: &Event) {
        let sent = self
            .events
            .as_ref()
            .map(|events| events.try_send(Box::new(event.clone())));
        if let Some(Err(TrySendError::Full(event) | TrySendError::Disconnected(event))) = sent {
            log::warn!(
                "the journal is behind: event {} is not sent to it",
                event.id
            );
        }
    }
}

impl Drop for JournalQueue {
    fn drop(&mut self) {
        self.events = None;
        if self.ended.recv_timeout(FLUSH_TIMEOUT) == Err(RecvTimeoutError::Timeout) {
            log::warn!("the journal did not take the last events: they are only in the history");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Mutex, time::Instant};

    use super::*;
    use crate::event::{Kind, Time};

    fn event() -> Event {
        Event::blank("x".to_owned(), Kind::Taint, Time::unknown())
    }

    #[test]
    fn the_end_waits_for_events_in_the_queue() {
        static SENT: Mutex<usize> = Mutex::new(0);
        let journal = JournalQueue::with(|_| {
            thread::sleep(Duration::from_millis(5));
            *SENT.lock().unwrap() += 1;
        });
        for _ in 0..20 {
            journal.send(&event());
        }
        drop(journal);
        assert_eq!(*SENT.lock().unwrap(), 20);
    }

    #[test]
    fn a_journal_that_hangs_delays_no_event() {
        let journal = JournalQueue::with(|_| thread::sleep(Duration::from_mins(1)));
        let began = Instant::now();
        for _ in 0..CAPACITY + 10 {
            journal.send(&event());
        }
        drop(journal);
        assert!(began.elapsed() < FLUSH_TIMEOUT * 3);
    }
}
