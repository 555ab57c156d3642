//! Events that wait for the history to be written again.
//!
//! In: events. Out: the same events in their order; and whether there is room for more. Pure.

use std::collections::VecDeque;

use crate::{event::Event, store::Write};

/// When there are so many, or they take so much memory, no more are taken from the ring buffer, which then keeps them
/// and counts what it has no room for.
const EVENTS: usize = 10_000;
const BYTES: usize = 32 << 20;

/// One that waits.
pub(super) struct Waiting {
    pub(super) write: Write,
    /// The journal has it.
    pub(super) is_sent: bool,
    bytes: usize,
}

#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < EVENTS && self.bytes < BYTES
    }

    pub(super) fn push(&mut self, write: Write, is_sent: bool) {
        let waiting = self.weighed(write, is_sent);
        self.waiting.push_back(waiting);
    }

    /// Ahead of all others.
    pub(super) fn push_first(&mut self, event: Event) {
        let waiting = self.weighed(Write::event(event), false);
        self.waiting.push_front(waiting);
    }

    fn weighed(&mut self, write: Write, is_sent: bool) -> Waiting {
        let bytes = bytes(&write.event);
        self.bytes += bytes;
        Waiting {
            write,
            is_sent,
            bytes,
        }
    }

    /// The first ones, at most so many; they are put back or gone.
    pub(super) fn take(&mut self, most: usize) -> Vec<Waiting> {
        let most = most.min(self.waiting.len());
        let taken: Vec<_> = self.waiting.drain(..most).collect();
        let bytes: usize = taken.iter().map(|waiting| waiting.bytes).sum();
        self.bytes = self.bytes.saturating_sub(bytes);
        taken
    }

    /// Puts back what was taken.
    pub(super) fn put_back(&mut self, taken: Vec<Waiting>) {
        for waiting in taken.into_iter().rev() {
            self.bytes += waiting.bytes;
            self.waiting.push_front(waiting);
        }
    }

    /// An event that waits is replaced by what it is now.
    pub(super) fn replace(&mut self, event: &Event) {
        let place = self
            .waiting
            .iter()
            .position(|it| it.write.event.id == event.id);
        let Some(waiting) = place.and_then(|place| self.waiting.get_mut(place)) else {
            return;
        };
        let (before, now) = (waiting.bytes, bytes(event));
        waiting.write.event = event.clone();
        waiting.bytes = now;
        self.bytes = self.bytes.saturating_sub(before).saturating_add(now);
    }

    /// Those that the journal does not have; it is sent them now.
    pub(super) fn take_unsent(&mut self) -> impl Iterator<Item = &Event> {
        let unsent = self.waiting.iter_mut().filter(|waiting| !waiting.is_sent);
        unsent.map(|waiting| {
            waiting.is_sent = true;
            &waiting.write.event
        })
    }
}

/// As JSON it takes about as much as in memory.
fn bytes(event: &Event) -> usize {
    serde_json::to_vec(event).map_or(0, |text| text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Kind, Time};

    fn event(id: &str) -> Event {
        Event::blank(id.to_owned(), Kind::Taint, Time::unknown())
    }

    fn ids(taken: &[Waiting]) -> Vec<&str> {
        let events = taken.iter().map(|waiting| &waiting.write.event);
        events.map(|event| event.id.as_str()).collect()
    }

    #[test]
    fn what_is_put_back_stays_in_order() {
        let mut queue = Queue::default();
        for id in ["b", "c", "d"] {
            queue.push(Write::event(event(id)), false);
        }
        queue.push_first(event("a"));
        let taken = queue.take(3);
        assert_eq!(ids(&taken), ["a", "b", "c"]);
        queue.put_back(taken);
        assert_eq!(queue.take_unsent().count(), 4);
        assert_eq!(queue.take_unsent().count(), 0, "sent twice");
        assert_eq!(ids(&queue.take(9)), ["a", "b", "c", "d"]);
        assert!(queue.is_empty() && queue.bytes == 0);
    }

    #[test]
    fn what_is_found_out_of_one_that_waits_is_in_it() {
        let mut queue = Queue::default();
        for id in ["a", "b"] {
            queue.push(Write::event(event(id)), true);
        }
        let mut more = event("a");
        more.log = vec!["read".to_owned()];
        queue.replace(&more);
        queue.replace(&event("c"));
        let taken = queue.take(9);
        assert_eq!(ids(&taken), ["a", "b"]);
        assert_eq!(taken[0].write.event, more);
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn it_is_bounded_by_number_and_by_size() {
        let mut queue = Queue::default();
        for _ in 0..EVENTS {
            assert!(queue.has_room());
            queue.push(Write::event(event("x")), true);
        }
        assert!(!queue.has_room());
        let mut queue = Queue::default();
        let mut large = event("x");
        large.log = vec!["x".repeat(BYTES / 4)];
        for _ in 0..4 {
            assert!(queue.has_room());
            queue.push(Write::event(large.clone()), true);
        }
        assert!(!queue.has_room());
        queue.take(1);
        assert!(queue.has_room());
    }
}
