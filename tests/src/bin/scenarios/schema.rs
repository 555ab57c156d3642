//! Events against the published schema, `docs/event.schema.json`.
//!
//! In: events as `--json` prints them. Out: nothing, or which event differs and where. Stricter than what is published:
//! a member that the schema does not know is an error here, so that no key is renamed by accident. The tests of the
//! command line use this file, too.

use std::{cell::RefCell, collections::HashSet};

use anyhow::{Context as _, Result, anyhow};
use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Map, Value};

const PUBLISHED: &str = include_str!("../../../../docs/event.schema.json");
/// Only a name; nothing is fetched.
const NAME: &str = "https://taintwatch.invalid/event.schema.json";

thread_local! {
    /// The schema, and the events that were checked already: a guest reads its history many times.
    static CHECKED: RefCell<Option<(Strict, HashSet<String>)>> = const { RefCell::new(None) };
}

/// Checks each event once.
pub(crate) fn check(events: &[Value]) -> Result<()> {
    CHECKED.with_borrow_mut(|checked| {
        if checked.is_none() {
            *checked = Some((Strict::published()?, HashSet::new()));
        }
        let (strict, known) = checked.as_mut().context("it was set above")?;
        for event in events {
            let id = event.get("id").and_then(Value::as_str).unwrap_or_default();
            if !known.contains(id) {
                strict.check(event)?;
                known.insert(id.to_owned());
            }
        }
        Ok(())
    })
}

/// The published schema, without room for additions.
pub(crate) struct Strict {
    schemas: Schemas,
    event: SchemaIndex,
}

impl Strict {
    pub(crate) fn published() -> Result<Self> {
        let mut schema: Value = serde_json::from_str(PUBLISHED)?;
        close(schema.as_object_mut());
        let types = schema.get_mut("$defs").and_then(Value::as_object_mut);
        for (_, object) in types.context("the schema has no types")? {
            close(object.as_object_mut());
        }
        let mut schemas = Schemas::new();
        let mut compiler = Compiler::new();
        compiler.enable_format_assertions();
        let failed = |error: boon::CompileError| anyhow!("the schema is none: {error:#}");
        compiler.add_resource(NAME, schema).map_err(failed)?;
        let event = compiler.compile(NAME, &mut schemas).map_err(failed)?;
        Ok(Self { schemas, event })
    }

    pub(crate) fn check(&self, event: &Value) -> Result<()> {
        let Self { schemas, event: of } = self;
        schemas
            .validate(event, *of)
            .map_err(|error| anyhow!("{error:#}\nis wrong in {event}"))
    }
}

/// An object with members may have no others.
fn close(object: Option<&mut Map<String, Value>>) {
    if let Some(object) = object.filter(|object| object.contains_key("properties")) {
        object.insert("additionalProperties".to_owned(), false.into());
    }
}
