//! An entry as a JSON object: of `journalctl -o json`, and of `dmesg --json`.
//!
//! In: the object. Out: the entry, when it is the kernel's.

use serde_json::{Map, Value};

use super::{super::form, Entry};

/// One object; `None` when it is no entry of the kernel's.
pub(in super::super) fn entry(text: &str) -> Option<Entry> {
    let has = |what: &str| memchr::memmem::find(text.as_bytes(), what.as_bytes()).is_some();
    // Most entries are of others; the journal writes the field like this.
    if !has("\"kernel\"") && !has("\"msg\"") {
        return None;
    }
    let Value::Object(fields) = serde_json::from_str(text).ok()? else {
        return None;
    };
    match fields.get("msg") {
        Some(message) => record(&fields, message.as_str()?),
        None => journals(&fields),
    }
}

/// `{"pri": 4, "time": 5.123456, "caller": "T77", "msg": "TEXT"}`; a `dmesg` that decodes names the facility.
fn record(fields: &Map<String, Value>, message: &str) -> Option<Entry> {
    // util-linux up to 2.39 loses the facility in `pri` (its issue 2325): there a program of root's can pass for the
    // kernel.
    let is_kernels = match fields.get("fac") {
        Some(facility) => facility == "kern",
        None => fields.get("pri")?.as_u64()? >> 3 == 0,
    };
    let time = fields.get("time").map(Value::to_string);
    let since_boot = time.and_then(|time| form::seconds(&time));
    is_kernels.then(|| Entry {
        message: Some(message.trim_end_matches('\n').to_owned()),
        source: since_boot.map(|nanos| nanos / 1000),
        caller: fields
            .get("caller")
            .and_then(Value::as_str)
            .map(str::to_owned),
        ..Entry::default()
    })
}

fn journals(fields: &Map<String, Value>) -> Option<Entry> {
    let mut entry = Entry::default();
    for (name, value) in fields {
        // A field that was given twice is a list, one that is no UTF-8 a list of bytes.
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Array(items) if items.iter().all(Value::is_number) => {
                let byte = |item: &Value| u8::try_from(item.as_u64()?).ok();
                let bytes: Option<Vec<u8>> = items.iter().map(byte).collect();
                String::from_utf8_lossy(&bytes?).into_owned()
            }
            Value::Array(items) => items.first()?.as_str()?.to_owned(),
            Value::Number(number) => number.to_string(),
            _ => continue,
        };
        entry.set(name, value);
    }
    entry.is_kernels().then_some(entry)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn json_has_text_or_bytes() {
        let text = |json: &str| entry(json).map(|entry| entry.line().text.to_owned());
        assert_eq!(
            text(r#"{"_TRANSPORT":"kernel","MESSAGE":"a"}"#).as_deref(),
            Some("a")
        );
        assert_eq!(
            text(r#"{"_TRANSPORT":"kernel","MESSAGE":[97,255]}"#).as_deref(),
            Some("a\u{fffd}")
        );
        assert_eq!(
            text(r#"{"_TRANSPORT":"stdout","MESSAGE":"\"kernel\""}"#),
            None
        );
        assert_eq!(text(r#"{"_TRANSPORT":"kernel","MESSAGE":null}"#), None);
        let twice = r#"{"_TRANSPORT":"kernel","MESSAGE":["a","b"]}"#;
        assert_eq!(text(twice).as_deref(), Some("a"), "given twice");
        let number = text(r#"{"_TRANSPORT":"kernel","MESSAGE":5}"#);
        assert_eq!(number.as_deref(), Some("5"));
    }

    #[test]
    fn records_of_dmesg_are_of_the_kernel_or_of_a_program() {
        let own = entry(r#"{"pri": 4, "time":    5.123456, "caller": "T77", "msg": "a"}"#).unwrap();
        let line = own.line();
        assert_eq!(line.text, "a");
        assert_eq!(line.since_boot, Some(5_123_456_000));
        assert_eq!(line.caller, Some("T77"));
        assert!(entry(r#"{"fac": "kern", "pri": "warn", "msg": "a"}"#).is_some());
        for foreign in [
            r#"{"pri": 12, "time": 5.123456, "msg": "a"}"#,
            r#"{"fac": "user", "pri": "warn", "msg": "a"}"#,
            r#"{"fac": "user", "pri": 4, "msg": "a"}"#,
            r#"{"lvl": "target", "msg": "a"}"#,
        ] {
            assert!(entry(foreign).is_none(), "{foreign}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text: String) {
            _ = entry(&format!("{{\"kernel\":{text}}}"));
            _ = entry(&format!("{{\"pri\":4,\"msg\":{text}}}"));
        }
    }
}
