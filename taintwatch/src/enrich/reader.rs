//! Questions to file systems, which may not answer: a server that is gone, a disk that hangs.
//!
//! In: questions. Out: answers, when they come; or that none will. A thread asks, one question after another; one that
//! waits too long is left behind, and another takes its place. Only so many are left behind: then nothing is asked
//! any more until one of them is answered.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, TryRecvError, channel},
    },
    thread,
    time::{Duration, Instant},
};

/// A file of the largest size takes less from a disk that works.
const PATIENCE: Duration = Duration::from_secs(5);
/// Threads left behind at once.
const LEFT_BEHIND: usize = 4;
/// Questions kept, with their answers: a load has an event for each flag and one for its end, and some loads run at once.
const KEPT: usize = 64;

/// What is known of a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer<'a, A> {
    NotYet,
    Is(&'a A),
    /// It will not be known: why, for people.
    Never(&'a str),
}

#[derive(Debug)]
enum State<A> {
    Waits,
    Asked,
    Is(A),
    Never(String),
}

/// The thread that asks.
#[derive(Debug)]
struct Asker<Q, A> {
    questions: Sender<Q>,
    answers: Receiver<A>,
    since: Option<Instant>,
}

/// Questions with their answers, and the thread that asks.
#[derive(Debug)]
pub(super) struct Reader<Q, A> {
    ask: fn(&Q) -> A,
    known: VecDeque<(Q, State<A>)>,
    asker: Option<Asker<Q, A>>,
    /// Each thread holds one.
    threads: Arc<()>,
    patience: Duration,
}

impl<Q: Clone + PartialEq + Send + 'static, A: Send + 'static> Reader<Q, A> {
    /// A reader whose thread answers by `ask`; it begins with the first question.
    pub(super) fn new(ask: fn(&Q) -> A) -> Self {
        Self {
            ask,
            known: VecDeque::new(),
            asker: None,
            threads: Arc::new(()),
            patience: PATIENCE,
        }
    }

    /// What is known of a question by now; it is asked if it was not before.
    pub(super) fn answer(&mut self, question: &Q) -> Answer<'_, A> {
        if !self.known.iter().any(|(known, _)| known == question) {
            if !self.make_room() {
                return Answer::Never("too many files wait to be read");
            }
            self.known.push_back((question.clone(), State::Waits));
        }
        self.turn();
        let found = self.known.iter().find(|(known, _)| known == question);
        match found.map(|(_, state)| state) {
            Some(State::Is(answer)) => Answer::Is(answer),
            Some(State::Never(why)) => Answer::Never(why),
            _ => Answer::NotYet,
        }
    }

    /// The oldest that is done with makes room; whether there is some.
    fn make_room(&mut self) -> bool {
        if self.known.len() < KEPT {
            return true;
        }
        let is_done = |state: &State<A>| matches!(state, State::Is(_) | State::Never(_));
        let oldest = self.known.iter().position(|(_, state)| is_done(state));
        oldest
            .and_then(|oldest| self.known.remove(oldest))
            .is_some()
    }

    /// Takes an answer that came, leaves a thread behind that waits too long, and asks the next question.
    fn turn(&mut self) {
        self.take_answer();
        while self
            .asker
            .as_ref()
            .is_none_or(|asker| asker.since.is_none())
        {
            let next = self
                .known
                .iter_mut()
                .find(|(_, state)| matches!(state, State::Waits));
            let Some((question, state)) = next else {
                return;
            };
            *state = State::Asked;
            let question = question.clone();
            if let Err(why) = self.put(question) {
                self.settle(State::Never(why));
            }
        }
    }

    fn take_answer(&mut self) {
        let Some((asker, since)) = self.asker.as_mut().and_then(|asker| {
            let since = asker.since?;
            Some((asker, since))
        }) else {
            return;
        };
        match asker.answers.try_recv() {
            Ok(answer) => {
                asker.since = None;
                self.settle(State::Is(answer));
            }
            Err(TryRecvError::Empty) if since.elapsed() < self.patience => {}
            Err(TryRecvError::Empty) => {
                self.asker = None;
                let seconds = self.patience.as_secs();
                log::warn!(
                    "a file system does not answer: a module's file could not be read for {seconds} seconds, and is \
                     left out"
                );
                let why = format!("its file system did not answer for {seconds} seconds");
                self.settle(State::Never(why));
            }
            Err(TryRecvError::Disconnected) => {
                self.asker = None;
                self.settle(State::Never(
                    "it could not be read: a fault of taintwatch".to_owned(),
                ));
            }
        }
    }

    /// What became of the question that is asked.
    fn settle(&mut self, answer: State<A>) {
        let asked = self
            .known
            .iter_mut()
            .find(|(_, state)| matches!(state, State::Asked));
        if let Some((_, state)) = asked {
            *state = answer;
        }
    }

    /// Puts a question to the thread; a new one where there is none.
    fn put(&mut self, question: Q) -> Result<(), String> {
        let mut asker = match self.asker.take() {
            Some(asker) => asker,
            None => self.begin()?,
        };
        let gone = "its reader ended: a fault of taintwatch";
        asker
            .questions
            .send(question)
            .map_err(|_unsent| gone.to_owned())?;
        asker.since = Some(Instant::now());
        self.asker = Some(asker);
        Ok(())
    }

    fn begin(&self) -> Result<Asker<Q, A>, String> {
        let left_behind = Arc::strong_count(&self.threads) - 1;
        if left_behind >= LEFT_BEHIND {
            return Err(format!(
                "{left_behind} other files cannot be read: their file systems do not answer"
            ));
        }
        let (questions, to_ask) = channel::<Q>();
        let (answer, answers) = channel();
        let (ask, held) = (self.ask, Arc::clone(&self.threads));
        let name = thread::Builder::new().name("files".to_owned());
        let began: io::Result<_> = name.spawn(move || {
            for question in to_ask {
                // A thread that was left behind has no reader for its answer.
                if answer.send(ask(&question)).is_err() {
                    break;
                }
            }
            drop(held);
        });
        began.map_err(|error| format!("no thread could be started: {error}"))?;
        Ok(Asker {
            questions,
            answers,
            since: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, MutexGuard};

    use super::*;

    /// Held while files of odd numbers do not answer.
    static STUCK: Mutex<()> = Mutex::new(());
    /// One test at a time.
    static ONE: Mutex<()> = Mutex::new(());

    fn one() -> MutexGuard<'static, ()> {
        ONE.lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn reader() -> Reader<u32, u32> {
        let ask = |number: &u32| {
            if number % 2 == 1 {
                drop(STUCK.lock());
            }
            number * 10
        };
        Reader {
            patience: Duration::from_millis(50),
            ..Reader::new(ask)
        }
    }

    /// The answer, when it is one.
    fn asked(reader: &mut Reader<u32, u32>, question: u32) -> Result<u32, String> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(10) {
            match reader.answer(&question) {
                Answer::Is(answer) => return Ok(*answer),
                Answer::Never(why) => return Err(why.to_owned()),
                Answer::NotYet => thread::sleep(Duration::from_millis(1)),
            }
        }
        panic!("no answer to {question}");
    }

    #[test]
    fn an_answer_comes_later_and_is_kept() {
        let _one = one();
        let mut reader = reader();
        assert_eq!(asked(&mut reader, 2), Ok(20));
        assert_eq!(reader.answer(&2), Answer::Is(&20));
    }

    #[test]
    fn who_does_not_answer_is_left_behind_and_others_are_asked() {
        let _one = one();
        let mut reader = reader();
        let stuck = STUCK.lock().unwrap();
        let began = Instant::now();
        assert_eq!(reader.answer(&1), Answer::NotYet);
        assert!(began.elapsed() < Duration::from_millis(40), "it waited");
        let why = asked(&mut reader, 1).unwrap_err();
        assert!(why.contains("did not answer"), "{why}");
        assert_eq!(asked(&mut reader, 2), Ok(20));
        drop(stuck);
        assert!(reader.answer(&1) != Answer::NotYet, "it is not asked again");
    }

    #[test]
    fn only_so_many_are_left_behind() {
        let _one = one();
        let mut reader = reader();
        let stuck = STUCK.lock().unwrap();
        for number in (1..).step_by(2).take(LEFT_BEHIND) {
            assert!(
                asked(&mut reader, number)
                    .unwrap_err()
                    .contains("did not answer")
            );
        }
        let why = asked(&mut reader, 2).unwrap_err();
        assert!(why.contains("4 other files"), "{why}");
        drop(stuck);
        while Arc::strong_count(&reader.threads) > 1 {
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(asked(&mut reader, 4), Ok(40));
    }

    #[test]
    fn questions_are_bounded() {
        let _one = one();
        let mut reader = reader();
        for number in 0..1000 {
            asked(&mut reader, number * 2).unwrap();
        }
        assert!(reader.known.len() <= KEPT);
        reader.patience = Duration::from_mins(1);
        let stuck = STUCK.lock().unwrap();
        for number in (1..).step_by(2).take(KEPT) {
            assert_eq!(reader.answer(&number), Answer::NotYet);
        }
        assert!(matches!(reader.answer(&2), Answer::Never(why) if why.contains("too many")));
        drop(stuck);
    }
}
