//! Rows of the history that are no event: one of them does not hide the others.
//!
//! In: rows as SQLite gives them. Out: events, and a sentence on what is left out.

use std::cell::RefCell;

use rusqlite::{Row, types::ValueRef};

use crate::event::{Event, SCHEMA};

/// What was left out so far.
#[derive(Debug, Default)]
pub(super) struct Unread(RefCell<Option<LeftOut>>);

#[derive(Debug)]
struct LeftOut {
    rows: u64,
    first: String,
}

impl Unread {
    /// The event of a row: its number, and the event as JSON.
    pub(super) fn event(&self, row: &Row<'_>) -> rusqlite::Result<Option<Event>> {
        let seq = row.get_ref(0)?;
        match decode(row.get_ref(1)?) {
            Ok(event) => Ok(Some(event)),
            Err(why) => {
                let seq = seq.as_i64().unwrap_or_default();
                let mut left_out = self.0.borrow_mut();
                let left_out = left_out.get_or_insert_with(|| LeftOut {
                    rows: 0,
                    first: format!("event {seq}: {why}"),
                });
                left_out.rows += 1;
                Ok(None)
            }
        }
    }

    /// What was left out since the last call.
    pub(super) fn take(&self) -> Option<String> {
        let LeftOut { rows, first } = self.0.take()?;
        Some(match rows {
            1 => format!("1 event of the history could not be read and is left out: {first}"),
            rows => format!(
                "{rows} events of the history could not be read and are left out; the first, {first}"
            ),
        })
    }
}

fn decode(body: ValueRef<'_>) -> Result<Event, String> {
    let text = body.as_str().map_err(|error| error.to_string())?;
    let event: Event = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if event.schema > SCHEMA {
        let schema = event.schema;
        return Err(format!(
            "it is of schema {schema}, and this program reads up to {SCHEMA}: use a newer taintwatch"
        ));
    }
    Ok(event)
}
