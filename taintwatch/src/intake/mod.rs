//! Events that come back from elsewhere: JSON lines, a folder of the journal.
//!
//! In: text that other programs kept or sent on, of many machines, out of order, some of it twice. Out: each event once,
//! and what was not understood. Whoever wrote the text may have written anything.

pub mod collected;
mod find;
pub mod journal;
pub mod lines;
mod tally;

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use crate::event::Event;
pub use tally::Tally;

/// What makes an event the same as another: who recorded it, and its id.
type Key = [u8; 16];

/// Lets each event pass once.
#[derive(Debug, Default)]
pub struct Once {
    /// With the length of each, since one that is sent again with more detail is no copy.
    known: HashMap<Key, usize>,
}

/// Whether an event was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    New,
    /// As it was.
    Copy,
    /// With more or less known of it.
    Amended,
}

impl Once {
    /// Whether the event was there before.
    pub fn see(&mut self, event: &Event) -> Seen {
        let weight = weight(event);
        match self.known.insert(key(event), weight) {
            None => Seen::New,
            Some(before) if before == weight => Seen::Copy,
            Some(_) => Seen::Amended,
        }
    }
}

/// An amended event has more than it had before.
fn weight(event: &Event) -> usize {
    serde_json::to_string(event).map_or(0, |text| text.len())
}

/// One machine's event cannot take the place of another's. Sixteen bytes for each, however long the id is.
fn key(event: &Event) -> Key {
    let host = event.host.as_deref().unwrap_or_default();
    let mut digest = Sha256::new();
    digest.update(host.len().to_le_bytes());
    digest.update(host);
    digest.update(&event.id);
    let mut key = Key::default();
    for (to, from) in key.iter_mut().zip(digest.finalize()) {
        *to = from;
    }
    key
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{
        Seen::{Amended, Copy, New},
        *,
    };

    /// An event of a machine.
    pub(crate) fn event(host: Option<&str>, id: &str, seq: u64) -> Event {
        let mut event: Event = serde_json::from_value(serde_json::json!({
            "schema": 1, "id": id, "seq": seq, "kind": "taint", "time": "2026-01-02T03:04:05Z",
            "boot_id": "b", "taint": {"bit": 9, "letter": "W"},
        }))
        .unwrap();
        event.host = host.map(str::to_owned);
        event
    }

    #[test]
    fn an_event_passes_once_for_each_machine() {
        let mut once = Once::default();
        let events = [
            (None, "a"),
            (Some("m"), "a"),
            (Some("m"), "b"),
            (Some("m"), "a"),
            (Some("ma"), ""),
            (None, "a"),
        ];
        let seen = events.map(|(host, id)| once.see(&event(host, id, 1)));
        assert_eq!(seen, [New, New, New, Copy, New, Copy]);
        assert_eq!(once.see(&event(None, "a", 10)), Amended);
    }
}
