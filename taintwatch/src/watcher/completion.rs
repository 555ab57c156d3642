//! What is added to an event after it was handed out: what its module's file says, and lines of the log that follow it.
//!
//! In: events as they happen, and later the same events. Out: the same with more in them. Shared by the watcher, which
//! sees what belongs to an event, and by whoever records it, who completes it when it is on the disk.

use std::{cell::RefCell, rc::Rc};

use super::{in_order::Complete, log::Log};
use crate::{
    attribute::loaded_file,
    enrich::{Enricher, Hints, Step},
    event::Event,
    kernel::kmsg::From,
};

/// Completes events; one that knows nothing leaves them as they are.
#[derive(Clone, Default)]
pub struct Completer(Option<Rc<RefCell<Sources>>>);

struct Sources {
    log: Log,
    enricher: Enricher,
}

impl Completer {
    /// Follows the devices from now on, and the log from this line on.
    pub(super) fn begin(from: From) -> Self {
        let (log, enricher) = (Log::open(from), Enricher::begin());
        Self(Some(Rc::new(RefCell::new(Sources { log, enricher }))))
    }

    /// Takes what came since, before its buffers overflow.
    pub(super) fn catch_up(&self) {
        if let Some(sources) = &self.0 {
            let mut sources = sources.borrow_mut();
            sources.log.catch_up();
            sources.enricher.catch_up();
        }
    }

    /// Adds what is found at once.
    pub(super) fn add_to(&self, event: &mut Event, hints: &Hints) {
        if let Some(sources) = &self.0 {
            let mut sources = sources.borrow_mut();
            sources.enricher.add_to(event, hints);
            sources.log.add_to(event);
        }
    }

    /// How many records of the log were overwritten before they were read, since the last call.
    pub(super) fn take_overwritten(&self) -> u64 {
        let sources = self.0.as_ref();
        sources.map_or(0, |sources| sources.borrow_mut().log.take_overwritten())
    }
}

impl Complete for Completer {
    fn complete(&mut self, event: &mut Event) -> Step {
        let Some(sources) = &self.0 else {
            return Step {
                added: false,
                is_whole: true,
            };
        };
        let mut sources = sources.borrow_mut();
        let by_files = sources.enricher.complete(event);
        if by_files.added {
            loaded_file::explain(event);
        }
        let by_log = sources.log.complete(event);
        Step {
            added: by_files.added || by_log.added,
            is_whole: by_files.is_whole && by_log.is_whole,
        }
    }
}
