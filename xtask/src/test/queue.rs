//! Jobs that share a machine: so many at once, the longest first, and some alone.
//!
//! In: jobs with the seconds that each is expected to take. Out: what each gave, as they end.

use std::{
    cmp::Reverse,
    sync::{Condvar, Mutex, PoisonError, mpsc},
    thread,
};

/// Something to do.
pub(super) struct Job<T> {
    pub(super) seconds: u32,
    /// Nothing else runs meanwhile.
    pub(super) alone: bool,
    pub(super) work: T,
}

/// What waits, and how many run.
struct Queue<T> {
    /// The next one is last.
    waiting: Vec<Job<T>>,
    running: usize,
    alone: bool,
}

enum Next<T> {
    Do(T),
    Wait,
    Done,
}

impl<T> Queue<T> {
    /// The longest first, so that no long one is left for the end; those that want to be alone after all others.
    fn new(mut jobs: Vec<Job<T>>) -> Self {
        jobs.sort_by_key(|job| (job.alone, Reverse(job.seconds)));
        jobs.reverse();
        Self {
            waiting: jobs,
            running: 0,
            alone: false,
        }
    }

    fn next(&mut self) -> Next<T> {
        let must_wait = |job: &Job<T>| self.alone || job.alone && self.running > 0;
        if self.waiting.last().is_some_and(must_wait) {
            return Next::Wait;
        }
        let Some(job) = self.waiting.pop() else {
            return Next::Done;
        };
        self.running += 1;
        self.alone = job.alone;
        Next::Do(job.work)
    }

    fn ended(&mut self) {
        self.running -= 1;
        self.alone = false;
    }
}

/// Does all jobs, `places` at once; hands each result to `ended` in this thread.
pub(super) fn run<T: Send, R: Send>(
    jobs: Vec<Job<T>>,
    places: usize,
    work: impl Fn(T) -> R + Sync,
    mut ended: impl FnMut(R),
) {
    let queue = (Mutex::new(Queue::new(jobs)), Condvar::new());
    let (send, results) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..places {
            let (send, queue, work) = (send.clone(), &queue, &work);
            scope.spawn(move || {
                while let Some(job) = take(queue) {
                    let result = work(job);
                    lock(&queue.0).ended();
                    queue.1.notify_all();
                    if send.send(result).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        results.into_iter().for_each(&mut ended);
    });
}

fn lock<T>(queue: &Mutex<Queue<T>>) -> std::sync::MutexGuard<'_, Queue<T>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next job, when it may begin.
fn take<T>((queue, changed): &(Mutex<Queue<T>>, Condvar)) -> Option<T> {
    let mut queue = lock(queue);
    loop {
        match queue.next() {
            Next::Do(work) => return Some(work),
            Next::Done => return None,
            Next::Wait => {
                queue = changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(work: &'static str, seconds: u32, alone: bool) -> Job<&'static str> {
        Job {
            seconds,
            alone,
            work,
        }
    }

    fn next(queue: &mut Queue<&'static str>) -> &'static str {
        match queue.next() {
            Next::Do(work) => work,
            Next::Wait => "wait",
            Next::Done => "done",
        }
    }

    #[test]
    fn the_longest_is_first_and_equal_ones_keep_their_order() {
        let jobs = vec![job("a", 1, false), job("b", 9, false), job("c", 1, false)];
        let mut queue = Queue::new(jobs);
        let order: Vec<_> = (0..4).map(|_| next(&mut queue)).collect();
        assert_eq!(order, ["b", "a", "c", "done"]);
    }

    #[test]
    fn who_wants_to_be_alone_is() {
        let jobs = vec![
            job("alone", 9, true),
            job("a", 1, false),
            job("too", 8, true),
        ];
        let mut queue = Queue::new(jobs);
        assert_eq!(next(&mut queue), "a");
        assert_eq!(next(&mut queue), "wait", "another one runs");
        queue.ended();
        assert_eq!(next(&mut queue), "alone");
        assert_eq!(next(&mut queue), "wait", "it is alone");
        queue.ended();
        assert_eq!(next(&mut queue), "too");
        queue.ended();
        assert_eq!(next(&mut queue), "done");
    }

    #[test]
    fn everything_is_done_once() {
        let jobs = (0..20).map(|work| Job {
            seconds: work % 3,
            alone: work % 7 == 0,
            work,
        });
        let mut done = Vec::new();
        run(jobs.collect(), 3, |work| work, |work| done.push(work));
        done.sort_unstable();
        assert_eq!(done, (0..20).collect::<Vec<_>>());
    }
}
