//! The daemon's own messages on their way to standard error, which may be journald's: recording does not wait for it.
//!
//! In: lines. Out: the same lines, written by a thread of its own; how many were dropped while it was stuck.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, channel, sync_channel},
    },
    thread,
    time::Duration,
};

/// Messages that the queue holds.
const CAPACITY: usize = 1024;
/// How long the end waits for them.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

enum Item {
    Line(Vec<u8>),
    End,
}

/// The sending side: each write is a message.
pub struct LogQueue {
    items: SyncSender<Item>,
    dropped: Arc<AtomicU64>,
}

/// Waits for the last messages.
pub struct Flush {
    items: SyncSender<Item>,
    ended: Receiver<()>,
}

/// A queue in front of `target`.
#[must_use]
pub fn begin(mut target: impl Write + Send + 'static) -> (LogQueue, Flush) {
    let (items, queue) = sync_channel(CAPACITY);
    let (end, ended) = channel();
    let dropped = Arc::new(AtomicU64::new(0));
    let missed = Arc::clone(&dropped);
    thread::spawn(move || {
        while let Ok(Item::Line(line)) = queue.recv() {
            // Where standard error is closed, there is no reader.
            _ = target.write_all(&line);
            let missed = missed.swap(0, Ordering::Relaxed);
            if missed > 0 {
                _ = writeln!(target, "taintwatch: {missed} messages were dropped here");
            }
        }
        drop(end);
    });
    let flush = Flush {
        items: items.clone(),
        ended,
    };
    (LogQueue { items, dropped }, flush)
}

impl Write for LogQueue {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.items.try_send(Item::Line(bytes.to_vec())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        // A full queue is stuck: it is not waited for.
        if self.items.try_send(Item::End).is_ok() {
            _ = self.ended.recv_timeout(FLUSH_TIMEOUT);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Mutex, time::Instant};

    use super::*;

    /// Holds what is written, and writes nothing while it is locked.
    #[derive(Clone, Default)]
    struct Target(Arc<Mutex<Vec<u8>>>);

    impl Write for Target {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_target_that_hangs_delays_no_message_and_dropped_ones_are_counted() {
        let target = Target::default();
        let (mut queue, flush) = begin(target.clone());
        let stuck = target.0.lock().unwrap();
        let began = Instant::now();
        // One may be in the thread's hands.
        for _ in 0..CAPACITY + 11 {
            queue.write_all(b"line\n").unwrap();
        }
        assert!(began.elapsed() < Duration::from_secs(5));
        drop(stuck);
        while queue.dropped.load(Ordering::Relaxed) > 0 {
            thread::sleep(Duration::from_millis(1));
        }
        // Room for the end.
        thread::sleep(Duration::from_millis(100));
        drop(flush);
        let written = String::from_utf8(target.0.lock().unwrap().clone()).unwrap();
        let lines = written.lines().filter(|line| *line == "line").count();
        let note = written
            .lines()
            .find_map(|line| line.split_once(": ")?.1.split(' ').next());
        let dropped: usize = note.unwrap().parse().unwrap();
        assert_eq!(lines + dropped, CAPACITY + 11);
    }

    #[test]
    fn the_end_does_not_wait_for_a_target_that_hangs() {
        let target = Target::default();
        let (mut queue, flush) = begin(target.clone());
        let _stuck = target.0.lock().unwrap();
        queue.write_all(b"line\n").unwrap();
        let began = Instant::now();
        drop(flush);
        assert!(began.elapsed() < FLUSH_TIMEOUT * 3);
    }
}
