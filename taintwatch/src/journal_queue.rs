//! Events on their way to the journal, which nobody waits for.
//!
//! In: recorded events. Out: journal entries, in order. journald takes its time when it is stopped, stuck or busy, and its
//! socket then blocks who writes: a thread of its own does that. What finds no room is in the history alone, and said.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel},
    thread,
    time::Duration,
};

use crate::{event::Event, output::journald};

/// Events that wait.
const ROOM: usize = 4096;
/// How long the end waits for what is on its way.
const PATIENCE: Duration = Duration::from_secs(3);

/// The sending side.
pub(crate) struct JournalQueue {
    events: Option<SyncSender<Box<Event>>>,
    ended: Receiver<()>,
}

impl JournalQueue {
    pub(crate) fn begin() -> Self {
        Self::with(|event| {
            // A journal that comes later than this program is a journal.
            if journald::is_there()
                && let Err(error) = journald::send(event)
            {
                log::warn!("the journal did not take event {}: {error}", event.seq);
            }
        })
    }

    fn with(send: impl Fn(&Event) + Send + 'static) -> Self {
        let (events, queue) = sync_channel::<Box<Event>>(ROOM);
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

    /// Hands an event over, or says that there is no room.
    pub(crate) fn send(&self, event: &Event) {
        let sent = self
            .events
            .as_ref()
            .map(|events| events.try_send(Box::new(event.clone())));
        if let Some(Err(TrySendError::Full(event) | TrySendError::Disconnected(event))) = sent {
            log::warn!(
                "the journal is behind: event {} is in the history alone",
                event.seq
            );
        }
    }
}

impl Drop for JournalQueue {
    fn drop(&mut self) {
        self.events = None;
        if self.ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            log::warn!("the journal did not take the last events: they are in the history");
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
    fn the_end_waits_for_what_is_on_its_way() {
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
    fn a_journal_that_hangs_holds_nobody() {
        let journal = JournalQueue::with(|_| thread::sleep(Duration::from_mins(1)));
        let began = Instant::now();
        for _ in 0..ROOM + 10 {
            journal.send(&event());
        }
        drop(journal);
        assert!(began.elapsed() < PATIENCE * 3);
    }
}
