//! Messages to the service manager: that the daemon records, what it does, that it is alive.
//!
//! In: turns of the daemon, and the events that it recorded. Out: messages of `sd_notify(3)`; nothing without systemd.

use std::time::{Duration, Instant};

use libsystemd::daemon::{NotifyState, notify, watchdog_enabled};

use crate::{
    event::{CoverageState, Event},
    kernel::identity::monotonic_us,
};

/// The status line changes once in this time, at the most.
const PACE: Duration = Duration::from_secs(1);

/// The service manager that started this process, if one did.
#[derive(Debug)]
pub(crate) struct ServiceManager {
    status: Status,
    shown: Option<Instant>,
    /// Without a service manager that listens.
    alone: bool,
}

impl ServiceManager {
    pub(crate) fn new() -> Self {
        Self {
            status: Status::default(),
            shown: None,
            alone: std::env::var_os("NOTIFY_SOCKET").is_none(),
        }
    }

    /// How often it wants to hear that the daemon is alive: in half of the time after which it ends a silent one.
    pub(crate) fn watchdog() -> Option<Duration> {
        let limit = watchdog_enabled(false)?;
        Some((limit / 2).max(Duration::from_millis(1)))
    }

    /// The hooks are attached, and the history is open.
    pub(crate) fn ready(&mut self) {
        self.send(&[NotifyState::Ready, self.line()]);
    }

    pub(crate) fn alive(&mut self) {
        self.send(&[NotifyState::Watchdog]);
        self.show();
    }

    /// The configuration is being read again, until the next [`Self::ready`].
    pub(crate) fn reloading(&mut self) {
        let since = NotifyState::Other(format!("MONOTONIC_USEC={}", monotonic_us()));
        self.send(&[NotifyState::Reloading, since]);
    }

    pub(crate) fn stopping(&mut self, reason: &str) {
        self.send(&[
            NotifyState::Stopping,
            NotifyState::Status(format!("ends: {reason}")),
        ]);
    }

    /// An event was recorded.
    pub(crate) fn recorded(&mut self, event: &Event) {
        if self.status.see(event) || self.shown.is_none_or(|shown| shown.elapsed() >= PACE) {
            self.show();
        }
    }

    /// Why the history cannot be written, if it cannot, and how many events wait.
    pub(crate) fn history(&mut self, trouble: Option<(&str, usize)>) {
        let trouble = trouble.map(|(why, waiting)| Trouble {
            why: why.to_owned(),
            waiting,
        });
        let is_news = trouble.is_some() != self.status.trouble.is_some();
        self.status.trouble = trouble;
        if is_news {
            self.show();
        }
    }

    fn show(&mut self) {
        self.shown = Some(Instant::now());
        self.send(&[self.line()]);
    }

    fn line(&self) -> NotifyState {
        NotifyState::Status(self.status.to_string())
    }

    fn send(&self, messages: &[NotifyState]) {
        if self.alone {
            return;
        }
        if let Err(error) = notify(false, messages) {
            log::warn!("the service manager does not get the state of this daemon: {error}");
        }
    }
}

/// What `systemctl status` shows.
#[derive(Debug, Default, PartialEq, Eq)]
struct Status {
    /// Hooks in place, and all of them.
    hooks: (usize, usize),
    is_degraded: bool,
    events: u64,
    trouble: Option<Trouble>,
}

/// The history cannot be written.
#[derive(Debug, PartialEq, Eq)]
struct Trouble {
    why: String,
    waiting: usize,
}

impl Status {
    /// Whether the coverage changed.
    fn see(&mut self, event: &Event) -> bool {
        self.events += 1;
        let Some(coverage) = &event.coverage else {
            return false;
        };
        let attached = coverage
            .hooks
            .iter()
            .filter(|hook| hook.mechanism.is_some());
        self.hooks = (attached.count(), coverage.hooks.len());
        self.is_degraded = coverage.state == CoverageState::Degraded;
        true
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(Trouble { why, waiting }) = &self.trouble {
            write!(
                f,
                "{waiting} events are only in the journal, the history cannot be written: {why}; "
            )?;
        }
        let (attached, all) = self.hooks;
        if all == 0 {
            return write!(f, "begins to record");
        }
        let coverage = if self.is_degraded {
            "degraded (`taintwatch check` says why)"
        } else {
            "complete"
        };
        let events = if self.events == 1 { "event" } else { "events" };
        write!(
            f,
            "coverage {coverage}, {attached} of {all} hooks; {} {events} since the start",
            self.events
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Coverage, Hook, Kind, Time};

    fn coverage(state: CoverageState) -> Event {
        let hook = |mechanism: Option<&str>| Hook {
            layer: "x".to_owned(),
            mechanism: mechanism.map(str::to_owned),
            reason: None,
        };
        let mut event = Event::blank("x".to_owned(), Kind::Coverage, Time::unknown());
        event.coverage = Some(Coverage {
            state,
            reason: String::new(),
            release: None,
            mask: None,
            self_test: None,
            attached_since_ns: None,
            unwatched: None,
            hooks: vec![hook(Some("fentry")), hook(None)],
        });
        event
    }

    #[test]
    fn the_status_line_says_what_is_attached_and_how_much_was_recorded() {
        let mut status = Status::default();
        assert_eq!(status.to_string(), "begins to record");
        assert!(status.see(&coverage(CoverageState::Began)));
        assert_eq!(
            status.to_string(),
            "coverage complete, 1 of 2 hooks; 1 event since the start"
        );
        let taint = Event::blank("y".to_owned(), Kind::Taint, Time::unknown());
        assert!(!status.see(&taint));
        assert!(status.see(&coverage(CoverageState::Degraded)));
        assert_eq!(
            status.to_string(),
            "coverage degraded (`taintwatch check` says why), 1 of 2 hooks; 3 events since the start"
        );
        status.trouble = Some(Trouble {
            why: "the disk is full".to_owned(),
            waiting: 7,
        });
        assert!(status.to_string().starts_with(
            "7 events are only in the journal, the history cannot be written: the disk is full; "
        ));
    }
}
