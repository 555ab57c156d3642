//! A queue in front of somebody who may be stuck: who puts something in does not wait.
//!
//! In: items. Out: the same in their order, to a thread of its own, and how many were dropped before each since the queue
//! was full. At the end it is waited for, for so long and no longer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

/// Between two looks whether a full queue has room for its end.
const LOOKS: Duration = Duration::from_millis(10);

enum Item<T> {
    One(T),
    End,
}

/// The side that items are put in.
pub(crate) struct Queue<T> {
    items: SyncSender<Item<T>>,
    dropped: Arc<AtomicU64>,
}

/// Waits for the last items.
pub(crate) struct End<T> {
    items: SyncSender<Item<T>>,
    ended: Receiver<()>,
}

/// A queue of so many items; `take` gets each, and how many were dropped before it.
pub(crate) fn begin<T: Send + 'static>(
    capacity: usize,
    mut take: impl FnMut(T, u64) + Send + 'static,
) -> (Queue<T>, End<T>) {
    let (items, queue) = sync_channel(capacity);
    let (end, ended) = channel();
    let dropped = Arc::new(AtomicU64::new(0));
    let missed = Arc::clone(&dropped);
    thread::spawn(move || {
        while let Ok(Item::One(item)) = queue.recv() {
            take(item, missed.swap(0, Ordering::Relaxed));
        }
        drop(end);
    });
    let end = End {
        items: items.clone(),
        ended,
    };
    (Queue { items, dropped }, end)
}

impl<T> Queue<T> {
    /// Puts an item in; one that there is no room for is dropped, and counted.
    pub(crate) fn put(&self, item: T) {
        if self.items.try_send(Item::One(item)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[cfg(test)]
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl<T> End<T> {
    /// Waits until all is taken, at most for so long; whether it was.
    pub(crate) fn wait(&self, limit: Duration) -> bool {
        let began = Instant::now();
        while let Err(TrySendError::Full(_)) = self.items.try_send(Item::End) {
            if began.elapsed() > limit {
                return false;
            }
            thread::sleep(LOOKS);
        }
        let left = limit.saturating_sub(began.elapsed());
        self.ended.recv_timeout(left) != Err(RecvTimeoutError::Timeout)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const CAPACITY: u32 = 16;
    const LIMIT: Duration = Duration::from_millis(100);

    type Taken = Arc<Mutex<Vec<(u32, u64)>>>;

    /// Nothing is taken while the list is locked.
    fn queue() -> (Queue<u32>, End<u32>, Taken) {
        let taken = Taken::default();
        let list = Arc::clone(&taken);
        let (queue, end) = begin(CAPACITY as usize, move |item, missed| {
            list.lock().unwrap().push((item, missed));
        });
        (queue, end, taken)
    }

    #[test]
    fn the_end_waits_for_what_is_in_it() {
        let (queue, end, taken) = queue();
        for item in 0..10 {
            queue.put(item);
        }
        assert!(end.wait(Duration::from_secs(10)));
        let expected: Vec<_> = (0..10).map(|item| (item, 0)).collect();
        assert_eq!(*taken.lock().unwrap(), expected);
    }

    #[test]
    fn who_is_stuck_delays_nobody_and_what_is_dropped_is_counted() {
        let (queue, end, taken) = queue();
        let stuck = taken.lock().unwrap();
        let began = Instant::now();
        for item in 0..CAPACITY + 11 {
            queue.put(item);
        }
        assert!(began.elapsed() < Duration::from_secs(5));
        drop(stuck);
        // What was dropped last is counted with the next.
        while queue.dropped() > 0 {
            thread::sleep(Duration::from_millis(1));
            queue.put(99);
        }
        assert!(end.wait(Duration::from_secs(10)));
        let taken = taken.lock().unwrap();
        let missed: u64 = taken.iter().map(|(_, missed)| missed).sum();
        let own = taken.iter().filter(|(item, _)| *item != 99).count() as u64;
        assert!(
            missed > 0 && own + missed >= u64::from(CAPACITY) + 11,
            "{taken:?}"
        );
    }

    #[test]
    fn the_end_does_not_wait_for_who_is_stuck() {
        let (queue, end, taken) = queue();
        let stuck = taken.lock().unwrap();
        for item in 0..CAPACITY + 11 {
            queue.put(item);
        }
        let began = Instant::now();
        assert!(!end.wait(LIMIT));
        assert!(began.elapsed() < LIMIT * 50);
        drop(stuck);
    }
}
