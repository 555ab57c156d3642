//! Events in their order, each when it is whole, or after a short wait as far as it is known by then.
//!
//! In: events that were handed out. Out: the same in their order; and once more, when more of one is known later.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{enrich::Step, event::Event};

/// How long an event waits for what is added to it: files are read in milliseconds where they can be read.
const WAIT: Duration = Duration::from_secs(2);
/// Between two looks while one waits, and while one is to be amended later.
const LOOKS: Duration = Duration::from_millis(20);
const LATE_LOOKS: Duration = Duration::from_millis(500);
/// Events that wait, and that are to be amended later, at the most.
const HELD: usize = 1024;
const LATE: usize = 256;

/// Adds to an event.
pub trait Complete {
    /// Adds what is known by now; without waiting. To be called until the event is whole.
    fn complete(&mut self, event: &mut Event) -> Step;
}

/// Events in their order, each with what its owner knows of it.
pub struct InOrder<C, T> {
    completer: C,
    held: VecDeque<Held<T>>,
    late: VecDeque<Held<T>>,
}

struct Held<T> {
    event: Event,
    about: T,
    since: Instant,
    added: bool,
}

/// An event that is passed on.
pub struct Passed<T> {
    pub event: Event,
    pub about: T,
    /// More is in it than when it was handed out, or passed on before.
    pub added: bool,
    /// It was passed on before.
    pub is_amendment: bool,
}

impl<C: Complete, T: Copy> InOrder<C, T> {
    #[must_use]
    pub const fn new(completer: C) -> Self {
        Self {
            completer,
            held: VecDeque::new(),
            late: VecDeque::new(),
        }
    }

    /// Takes an event.
    pub fn push(&mut self, event: Event, about: T) {
        self.held.push_back(Held {
            event,
            about,
            since: Instant::now(),
            added: false,
        });
    }

    /// Those that wait by now do so no longer.
    pub fn hurry(&mut self) {
        let now = Instant::now();
        let past = now.checked_sub(WAIT).unwrap_or(now);
        for held in &mut self.held {
            held.since = past;
        }
    }

    /// The next that can be passed on.
    pub fn pass(&mut self) -> Option<Passed<T>> {
        self.next_held().or_else(|| self.next_late())
    }

    fn next_held(&mut self) -> Option<Passed<T>> {
        let is_full = self.held.len() > HELD;
        let head = self.held.front_mut()?;
        let step = self.completer.complete(&mut head.event);
        head.added |= step.added;
        // Where files do not answer, one wait is enough for all.
        let is_over = head.since.elapsed() >= WAIT || !self.late.is_empty() || is_full;
        if !(step.is_whole || is_over) {
            return None;
        }
        let mut head = self.held.pop_front()?;
        let passed = Passed {
            event: head.event.clone(),
            about: head.about,
            added: std::mem::take(&mut head.added),
            is_amendment: false,
        };
        if !step.is_whole {
            self.late.push_back(head);
        }
        if self.late.len() > LATE
            && let Some(left) = self.late.pop_front()
        {
            log::warn!(
                "event {} stays without what its module's file says: too many files are not read yet",
                left.event.id
            );
        }
        Some(passed)
    }

    fn next_late(&mut self) -> Option<Passed<T>> {
        let mut place = 0;
        while let Some(held) = self.late.get_mut(place) {
            let step = self.completer.complete(&mut held.event);
            held.added |= step.added;
            if !step.is_whole {
                place += 1;
                continue;
            }
            let held = self.late.remove(place)?;
            if held.added {
                return Some(Passed {
                    event: held.event,
                    about: held.about,
                    added: true,
                    is_amendment: true,
                });
            }
        }
        None
    }

    /// Gives an event its number, when the history has it.
    pub fn number(&mut self, numbered: &Event) {
        let mut all = self.held.iter_mut().chain(&mut self.late);
        if let Some(held) = all.find(|held| held.event.id == numbered.id) {
            held.event.seq = numbered.seq;
        }
    }

    /// Until there may be something to pass on; `None` where nothing waits.
    #[must_use]
    pub fn pause(&self) -> Option<Duration> {
        if self.held.is_empty() {
            (!self.late.is_empty()).then_some(LATE_LOOKS)
        } else {
            Some(LOOKS)
        }
    }

    /// Until the next look; for ever where nothing waits.
    pub async fn due(&self) {
        match self.pause() {
            Some(pause) => tokio::time::sleep(pause).await,
            None => std::future::pending().await,
        }
    }

    /// Whether some event was not passed on yet.
    #[must_use]
    pub fn holds_some(&self) -> bool {
        !self.held.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::HashSet, rc::Rc};

    use super::*;
    use crate::event::{Kind, Time};

    /// Adds its line to an event when its file was read.
    #[derive(Clone, Default)]
    struct Files(Rc<RefCell<HashSet<String>>>);

    impl Complete for Files {
        fn complete(&mut self, event: &mut Event) -> Step {
            let has_file = event.id.starts_with("file");
            let is_read = self.0.borrow().contains(&event.id);
            if has_file && is_read {
                event.log = vec!["read".to_owned()];
            }
            Step {
                added: has_file && is_read,
                is_whole: !has_file || is_read,
            }
        }
    }

    fn queue(ids: &[&str]) -> (Files, InOrder<Files, ()>) {
        let files = Files::default();
        let mut queue = InOrder::new(files.clone());
        for id in ids {
            let event = Event::blank((*id).to_owned(), Kind::Taint, Time::unknown());
            queue.push(event, ());
        }
        (files, queue)
    }

    /// What is passed on now: ids, with `+` where something was added, in brackets where it is passed on again.
    fn passed(queue: &mut InOrder<Files, ()>) -> String {
        let mut said = Vec::new();
        while let Some(passed) = queue.pass() {
            let added = if passed.added { "+" } else { "" };
            assert_eq!(passed.added, !passed.event.log.is_empty());
            let id = format!("{}{added}", passed.event.id);
            said.push(if passed.is_amendment {
                format!("({id})")
            } else {
                id
            });
        }
        said.join(" ")
    }

    #[test]
    fn what_waits_for_nothing_passes_at_once() {
        let (_, mut queue) = queue(&["a", "b"]);
        assert_eq!(passed(&mut queue), "a b");
        assert!(queue.pause().is_none() && !queue.holds_some());
    }

    #[test]
    fn a_file_that_is_read_in_time_is_in_the_event_and_the_order_stays() {
        let (files, mut queue) = queue(&["a", "file1", "b"]);
        assert_eq!(passed(&mut queue), "a");
        files.0.borrow_mut().insert("file1".to_owned());
        assert_eq!(passed(&mut queue), "file1+ b");
    }

    #[test]
    fn a_file_that_is_not_read_holds_others_once_and_its_event_is_passed_on_again() {
        let (files, mut queue) = queue(&["file1", "b", "file2"]);
        assert_eq!(passed(&mut queue), "");
        queue.hurry();
        assert_eq!(passed(&mut queue), "file1 b file2");
        let event = Event::blank("file3".to_owned(), Kind::Taint, Time::unknown());
        queue.push(event, ());
        assert_eq!(passed(&mut queue), "file3", "one wait is enough");
        let mut numbered = Event::blank("file2".to_owned(), Kind::Taint, Time::unknown());
        numbered.seq = 7;
        queue.number(&numbered);
        files
            .0
            .borrow_mut()
            .extend(["file1", "file2", "file3"].map(str::to_owned));
        assert_eq!(queue.late[1].event.seq, 7);
        assert_eq!(passed(&mut queue), "(file1+) (file2+) (file3+)");
        assert!(queue.pause().is_none());
    }

    #[test]
    fn what_waits_is_bounded() {
        let many: Vec<_> = (0..HELD + LATE + 10)
            .map(|number| format!("file{number}"))
            .collect();
        let ids: Vec<_> = many.iter().map(String::as_str).collect();
        let (_, mut queue) = queue(&ids);
        while queue.pass().is_some() {}
        assert!(queue.held.len() <= HELD && queue.late.len() <= LATE);
    }
}
