//! Jobs that share a machine: so many at once, the longest first.
//!
//! In: jobs with the seconds that each is expected to take. Out: what each gave, as they end.

use std::{
    cmp::Reverse,
    sync::{Mutex, PoisonError, mpsc},
    thread,
};

/// Something to do.
pub(super) struct Job<T> {
    pub(super) seconds: u32,
    pub(super) work: T,
}

/// Does all jobs, `places` at once; hands each result to `ended` in this thread.
pub(super) fn run<T: Send, R: Send>(
    jobs: Vec<Job<T>>,
    places: usize,
    work: impl Fn(T) -> R + Sync,
    mut ended: impl FnMut(R),
) {
    let waiting = Mutex::new(in_order(jobs).into_iter());
    let take = || {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.next()
    };
    let (send, results) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..places {
            let (send, take, work) = (send.clone(), &take, &work);
            scope.spawn(move || {
                while let Some(job) = take() {
                    if send.send(work(job.work)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        results.into_iter().for_each(&mut ended);
    });
}

/// The longest first, so that no long one is left for the end; equal ones stay as they are.
fn in_order<T>(mut jobs: Vec<Job<T>>) -> Vec<Job<T>> {
    jobs.sort_by_key(|job| Reverse(job.seconds));
    jobs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_is_first_and_equal_ones_keep_their_order() {
        let jobs = [("a", 1), ("b", 9), ("c", 1)].map(|(work, seconds)| Job { seconds, work });
        let order: Vec<_> = in_order(jobs.into()).iter().map(|job| job.work).collect();
        assert_eq!(order, ["b", "a", "c"]);
    }

    #[test]
    fn everything_is_done_once() {
        let jobs = (0..20).map(|work| Job {
            seconds: work % 3,
            work,
        });
        let mut done = Vec::new();
        run(jobs.collect(), 3, |work| work, |work| done.push(work));
        done.sort_unstable();
        assert_eq!(done, (0..20).collect::<Vec<_>>());
    }
}
