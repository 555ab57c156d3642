//! The JSON Schema of the public event, made from the types beside this file.
//!
//! In: nothing. Out: what `docs/event.schema.json` holds. Additions to an event are compatible, so objects may have
//! more members than the schema knows.

use schemars::{Schema, generate::SchemaSettings, transform::transform_subschemas};
use serde_json::{Value, json};

use super::{Event, Kind};

/// The schema, as JSON Schema 2020-12 describes it.
#[must_use]
pub fn schema() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let generator = settings
        .with_transform(never_null as fn(&mut Schema))
        .into_generator();
    let mut schema = generator.into_root_schema_for::<Event>();
    schema.insert("title".to_owned(), "taintwatch event, schema 1".into());
    schema.insert("allOf".to_owned(), parts_of_kinds());
    schema
}

/// A member without a value is absent, never null.
fn never_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice != &json!({"type": "null"}));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            for (key, value) in only {
                schema.insert(key, value);
            }
        }
    }
    transform_subschemas(&mut never_null, schema);
}

/// Which members the event of a kind always has.
fn parts_of_kinds() -> Value {
    let part = |kind: Kind| match kind {
        Kind::Taint | Kind::MaskWrite => "taint",
        Kind::ModuleLoad | Kind::ModuleLoadFailed | Kind::ModuleUnload => "module",
        Kind::Coverage => "coverage",
        Kind::Lost => "lost",
    };
    let rule = |kind: Kind| {
        json!({
            "if": {"properties": {"kind": {"const": kind.as_str()}}},
            "then": {"required": [part(kind)]},
        })
    };
    Kind::ALL.into_iter().map(rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_member_is_null() {
        let text = schema().to_value().to_string();
        assert!(!text.contains("\"null\""), "{text}");
    }
}
