//! Events in one JSON text, however they are wrapped.
//!
//! In: a text such as an event itself, a row of a database that has it in a column, a log record of OpenTelemetry, an entry
//! of the journal. Out: the events in it, and why what looked like one is none. Pure, and bounded in depth.

use serde_json::Value;

use crate::event::{Event, SCHEMA};

/// Texts within texts that are looked into.
const DEPTH: usize = 4;

/// What a text holds.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    pub(super) events: Vec<Event>,
    /// Events that whoever wrote the text did not get: the daemon says so to a reader that is too slow.
    pub(super) missed: u64,
    /// The first thing in it that was not understood.
    pub(super) why: Option<String>,
    /// It is a line that holds no event, and is none that is missing.
    is_known: bool,
}

/// Looks for events.
pub(super) fn events(text: &str) -> Found {
    let mut found = Found::default();
    found.text(text, DEPTH);
    let is_empty = found.events.is_empty() && !found.is_known;
    if is_empty && found.why.is_none() {
        found.why = Some("it holds no event".to_owned());
    }
    found
}

impl Found {
    fn text(&mut self, text: &str, depth: usize) {
        // Nearly every line is an event itself.
        match serde_json::from_str::<Event>(text) {
            Ok(event) => self.event(event),
            Err(_is_none) => match serde_json::from_str(text) {
                Ok(value) => self.value(value, depth),
                Err(error) => self.not(format!("no JSON: {error}")),
            },
        }
    }

    fn event(&mut self, event: Event) {
        if event.schema > SCHEMA {
            let schema = event.schema;
            return self.not(format!(
                "it is of schema {schema}, and this program reads up to {SCHEMA}: use a newer taintwatch"
            ));
        }
        self.events.push(event);
    }

    /// The depth of a value is bounded by the parser.
    fn value(&mut self, value: Value, depth: usize) {
        match value {
            Value::Object(members) if is_event(&members) => {
                match serde_json::from_value::<Event>(Value::Object(members)) {
                    Ok(event) => self.event(event),
                    Err(error) => self.not(error.to_string()),
                }
            }
            Value::Object(members) => {
                if let Some(missed) = members.get("missed").and_then(Value::as_u64) {
                    self.missed = self.missed.saturating_add(missed);
                    self.is_known = true;
                }
                // What the daemon says to its readers, and what `report --json` of another program may keep beside.
                self.is_known |= ["waiting", "heartbeat"]
                    .iter()
                    .any(|word| members.contains_key(*word));
                for (_, member) in members {
                    self.value(member, depth);
                }
            }
            Value::Array(items) => items.into_iter().for_each(|item| self.value(item, depth)),
            Value::String(text) if depth > 0 && may_hold(&text) => self.text(&text, depth - 1),
            _ => {}
        }
    }

    fn not(&mut self, why: String) {
        self.why.get_or_insert(why);
    }
}

/// What every event has.
fn is_event(members: &serde_json::Map<String, Value>) -> bool {
    ["schema", "id", "kind"]
        .iter()
        .all(|key| members.contains_key(*key))
}

/// A text that is no JSON is only a text.
fn may_hold(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with('{') && text.contains("\"schema\"")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const EVENT: &str = r#"{"schema":1,"id":"x","seq":3,"kind":"taint","taint":{"bit":9}}"#;

    fn ids(text: &str) -> Vec<String> {
        let found = events(text);
        assert_eq!(found.why, None, "{text}");
        found.events.into_iter().map(|event| event.id).collect()
    }

    #[test]
    fn an_event_is_found_in_what_it_is_kept_in() {
        let event: Value = serde_json::from_str(EVENT).unwrap();
        for (what, text) in [
            ("itself", event.clone()),
            ("a row with the text", json!({"event": EVENT, "host": "m"})),
            ("a row with the object", json!({"event": event, "n": 7})),
            (
                "an entry of the journal",
                json!({"TAINTWATCH_EVENT": EVENT, "MESSAGE": "{ no event", "_UID": "0"}),
            ),
            (
                "a log record",
                json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"kvlistValue": {"values": [
                    {"key": "TAINTWATCH_EVENT", "value": {"stringValue": EVENT}}]}}}]}]}]}),
            ),
            ("what the daemon knew later", json!({"amended": event})),
            (
                "a text in a text",
                json!({"log": json!({"schema": 0, "event": EVENT}).to_string()}),
            ),
        ] {
            assert_eq!(ids(&text.to_string()), ["x"], "{what}");
        }
        assert_eq!(ids(&json!([event, {"event": EVENT}]).to_string()).len(), 2);
    }

    #[test]
    fn what_is_none_says_why() {
        for (text, says) in [
            ("x", "no JSON"),
            ("{}", "it holds no event"),
            ("7", "it holds no event"),
            (
                r#"{"schema":2,"id":"x","seq":1,"kind":"taint"}"#,
                "schema 2",
            ),
            (
                r#"{"schema":1,"id":"x","seq":1,"kind":"new"}"#,
                "unknown variant",
            ),
            (r#"{"event":"{\"schema\":1,\"id\":"}"#, "no JSON"),
        ] {
            let found = events(text);
            assert!(found.events.is_empty(), "{text}");
            assert!(found.why.unwrap().contains(says), "{text}");
        }
    }

    #[test]
    fn what_the_daemon_says_to_its_readers_is_no_fault() {
        assert_eq!(events(r#"{"missed":7}"#).missed, 7);
        for text in [r#"{"missed":7}"#, r#"{"waiting":0}"#] {
            assert_eq!(events(text).why, None);
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in "[\\[{\"\\\\:,a\\]}]{0,60}|\\PC*") {
            let found = events(&text);
            prop_assert!(found.events.is_empty());
        }

        #[test]
        fn a_text_wrapped_too_often_is_left_alone(times in 0_usize..9) {
            let wrapped = (0..times).fold(EVENT.to_owned(), |text, _| json!({"schema": 0, "a": text}).to_string());
            prop_assert_eq!(events(&wrapped).events.len(), usize::from(times <= DEPTH));
        }
    }
}
