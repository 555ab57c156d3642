//! Events that several logs of one archive have in common.
//!
//! In: events, log by log. Out: whether another log had one already. Archives hold the same log more than once: dmesg,
//! messages, the journal.

use std::collections::HashSet;

use crate::event::Event;

/// Events that are kept in mind.
const MOST: usize = 20_000;
const SECOND: u64 = 1_000_000_000;

/// The events of the logs before this one, and of this one.
#[derive(Default)]
pub(super) struct Known {
    known: HashSet<String>,
    current: Vec<String>,
}

impl Known {
    pub(super) fn next_log(&mut self) {
        self.known.extend(self.current.drain(..));
    }

    /// Lines differ by their time, except in the first second, which is the same in many boots.
    pub(super) fn is_new(&mut self, event: &Event) -> bool {
        let Some(key) = key(event) else {
            return true;
        };
        let is_new = !self.known.contains(&key);
        if is_new && self.current.len() + self.known.len() < MOST {
            self.current.push(key);
        }
        is_new
    }
}

/// The time, the flag, and the text of a line.
fn key(event: &Event) -> Option<String> {
    let clock = event.boottime_ns.filter(|at| *at >= SECOND);
    let time = || Some(event.time.to_string()).filter(|_| !event.time.is_unknown());
    let when = clock
        .map(|at| at.to_string())
        .or_else(time)
        .or_else(|| event.stamp.clone())?;
    let bit = event.bit()?;
    let module = event.module_name();
    let text = event.log.first().map(String::as_str).unwrap_or_default();
    Some(format!(
        "{when} {bit} {} {text}",
        module.unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(more: &serde_json::Value) -> Event {
        let mut event = serde_json::json!({
            "schema": 1, "id": "x", "seq": 0, "kind": "taint", "taint": {"bit": 9}, "log": ["a line"],
        });
        event
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn the_same_line_of_another_log_is_known_by_whichever_clock_it_has() {
        for clock in [
            serde_json::json!({"boottime_ns": 5_000_000_000_u64}),
            serde_json::json!({"time": "2026-01-02T03:04:05Z"}),
            serde_json::json!({"stamp": "Jan  2 03:04:05"}),
        ] {
            let event = event(&clock);
            let mut known = Known::default();
            assert!(
                known.is_new(&event) && known.is_new(&event),
                "twice in one log is twice"
            );
            known.next_log();
            assert!(!known.is_new(&event), "{event:?}");
        }
        let mut known = Known::default();
        for _ in 0..2 {
            assert!(
                known.is_new(&event(&serde_json::json!({}))),
                "no time is known"
            );
            known.next_log();
        }
    }
}
