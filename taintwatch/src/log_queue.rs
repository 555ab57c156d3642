//! The daemon's own messages on their way to standard error, which may be journald's: recording does not wait for it.
//!
//! In: lines. Out: the same lines, written by a thread of its own; how many were dropped while it was stuck.

use std::{
    io::{self, Write},
    time::Duration,
};

use crate::queue::{self, End, Queue};

/// Messages that the queue holds.
const CAPACITY: usize = 1024;
/// How long the end waits for them.
const FLUSH: Duration = Duration::from_secs(1);

/// The sending side: each write is a message.
pub struct LogQueue(Queue<Vec<u8>>);

/// Waits for the last messages.
pub struct Flush(End<Vec<u8>>);

/// A queue in front of `target`.
#[must_use]
pub fn begin(mut target: impl Write + Send + 'static) -> (LogQueue, Flush) {
    let (queue, end) = queue::begin(CAPACITY, move |line: Vec<u8>, missed| {
        // Where standard error is closed, there is no reader.
        if missed > 0 {
            _ = writeln!(target, "taintwatch: {missed} messages were dropped here");
        }
        _ = target.write_all(&line);
    });
    (LogQueue(queue), Flush(end))
}

impl Write for LogQueue {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.put(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        // The reader is gone.
        self.0.wait(FLUSH);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

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
    fn messages_that_were_dropped_are_counted_in_their_place() {
        let target = Target::default();
        let (mut queue, flush) = begin(target.clone());
        let stuck = target.0.lock().unwrap();
        for _ in 0..CAPACITY + 11 {
            queue.write_all(b"line\n").unwrap();
        }
        drop(stuck);
        // Until there is room for one more.
        while queue.0.dropped() > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(flush);
        let written = String::from_utf8(target.0.lock().unwrap().clone()).unwrap();
        let lines = written.lines().filter(|line| *line == "line").count();
        let notes = written
            .lines()
            .filter_map(|line| line.split_once(": ")?.1.split(' ').next());
        let dropped: usize = notes.map(|number| number.parse::<usize>().unwrap()).sum();
        assert_eq!(lines + dropped, CAPACITY + 11);
    }
}
