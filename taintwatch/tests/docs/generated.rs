//! What is written from the code: the schema, and the tables of `docs/events.md`.

use serde_json::Value;
use taintwatch::{config, event, output::metrics, probe::hooks};

use super::{
    costs,
    files::{generated, generated_part, read},
    tables,
};

/// Events of the fixture that show a kind each: a flag, a failed load, less coverage, a loss.
const EXAMPLES: [u64; 4] = [3, 23, 17, 33];

#[test]
fn the_schema_is_that_of_the_types() {
    generated("docs/event.schema.json", &published());
}

#[test]
fn the_tables_of_events_are_those_of_the_schema() {
    let schema = event::schema().to_value();
    tables::assert_complete(&schema);
    let path = "docs/events.md";
    generated_part(path, "kinds", &tables::kinds(&schema));
    generated_part(path, "objects", &tables::objects(&schema));
    generated_part(path, "words", &tables::words(&schema));
}

#[test]
fn the_table_of_hooks_is_that_of_the_code() {
    generated_part("README.md", "hooks", &hooks::markdown_table());
}

#[test]
fn the_table_of_metrics_is_that_of_the_code() {
    let mut table = String::from("| metric | labels | content |\n|--|--|--|\n");
    for metric in metrics::DESCRIBED {
        let labels: Vec<_> = metric
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let (name, labels, help) = (metric.name, labels.join(", "), metric.help);
        table = format!("{table}| `{name}` | {labels} | {help} |\n");
    }
    generated_part("docs/metrics.md", "metrics", &table);
}

#[test]
fn the_configuration_is_that_of_the_code() {
    let block = format!("```toml\n{}```", config::template());
    generated_part("README.md", "config", &block);
}

#[test]
fn the_table_of_costs_is_what_was_counted() {
    generated_part("README.md", "bench", &costs::markdown_table());
}

fn published() -> String {
    let mut schema = event::schema().to_value();
    let fixture = read("taintwatch/tests/fixtures/three-boots.jsonl");
    let events = fixture
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let events: Vec<_> = events.collect();
    let example = |seq: &u64| events.iter().find(|event| event["seq"] == *seq).cloned();
    schema["examples"] = EXAMPLES.iter().filter_map(example).collect();
    format!("{schema:#}\n")
}
