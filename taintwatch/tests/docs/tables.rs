//! Tables of the schema, for `docs/events.md`.

use std::fmt::Write as _;

use serde_json::Value;
use taintwatch::{event::Kind, output::journald::message_id};

/// The objects in the order in which a reader meets them; the event itself comes first.
const OBJECTS: [&str; 10] = [
    "Taint",
    "Cause",
    "Module",
    "Task",
    "Ancestor",
    "RequestedBy",
    "Coverage",
    "Unwatched",
    "Hook",
    "Lost",
];
const WORDS: [&str; 5] = ["Class", "Confidence", "Source", "Context", "CoverageState"];

/// A table an object.
pub(crate) fn objects(schema: &Value) -> String {
    let mut out = String::from("### Event\n\n");
    out.push_str(&members(schema));
    for name in OBJECTS {
        let object = &schema["$defs"][name];
        let about = text(object);
        write!(out, "\n### {name}\n\n{about}\n\n{}", members(object)).unwrap();
    }
    out
}

/// A table a list of words.
pub(crate) fn words(schema: &Value) -> String {
    let mut out = String::new();
    for name in WORDS {
        let list = &schema["$defs"][name];
        write!(
            out,
            "### {name}\n\n{}\n\n| word | meaning |\n|--|--|\n",
            text(list)
        )
        .unwrap();
        for word in list["oneOf"].as_array().unwrap() {
            let name = word["const"].as_str().unwrap();
            writeln!(out, "| `{name}` | {} |", text(word)).unwrap();
        }
        out.push('\n');
    }
    out
}

/// The kinds of events, with the ids that the journal knows them by.
pub(crate) fn kinds(schema: &Value) -> String {
    let words = schema["$defs"]["Kind"]["oneOf"].as_array().unwrap();
    let mut out = String::from("| kind | meaning | `MESSAGE_ID` in the journal |\n|--|--|--|\n");
    for kind in Kind::ALL {
        let word = words.iter().find(|word| word["const"] == kind.as_str());
        let meaning = text(word.unwrap());
        writeln!(out, "| `{kind}` | {meaning} | `{}` |", message_id(kind)).unwrap();
    }
    out
}

/// Every type of the schema is in some table.
pub(crate) fn assert_complete(schema: &Value) {
    let plain = ["Kind", "Mask", "Time"];
    for name in schema["$defs"].as_object().unwrap().keys() {
        let is_listed = OBJECTS
            .iter()
            .chain(&WORDS)
            .chain(&plain)
            .any(|it| it == name);
        assert!(is_listed, "docs/events.md has no table of {name}");
    }
}

fn members(object: &Value) -> String {
    let required: Vec<_> = object["required"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let mut out = String::from("| key | type | content |\n|--|--|--|\n");
    for (key, member) in object["properties"].as_object().unwrap() {
        let always = if required.iter().any(|name| *name == key) {
            ", always"
        } else {
            ""
        };
        writeln!(
            out,
            "| `{key}` | {}{always} | {} |",
            type_of(member),
            text(member)
        )
        .unwrap();
    }
    out
}

fn type_of(member: &Value) -> String {
    if let Some(path) = member["$ref"].as_str() {
        let name = path.rsplit('/').next().unwrap();
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(words) = member["enum"].as_array() {
        let words: Vec<_> = words
            .iter()
            .map(|word| format!("`{}`", word.as_str().unwrap()))
            .collect();
        return words.join(" or ");
    }
    match member["type"].as_str().unwrap() {
        "array" => format!("list of {}", type_of(&member["items"])),
        name => name.to_owned(),
    }
}

/// A description on one line; a `|` would end the column.
fn text(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap();
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}
