//! What taintwatch costs, as `cargo xtask bench` has counted it: the table of the README.
//!
//! In: `docs/bench/SERIES.json`. Out: a row for each figure that a reader can use, a column for each kernel.

use std::{collections::BTreeMap, fs};

use super::files::{read, root};

type Figures = BTreeMap<String, u64>;

/// Figures by what a reader calls them; those of several names are added up.
const ROWS: [(&str, &[&str]); 14] = [
    ("a call of `add_taint` without any hook", &["bare.call"]),
    ("with two empty programs", &["floor.call"]),
    ("with taintwatch, repeated", &["ours.call"]),
    (
        "the first of a place and flag, with its record",
        &["ours.first"],
    ),
    ("each of the next seven, with its record", &["ours.record"]),
    ("a write of the sysctl without any hook", &["bare.sysctl"]),
    ("with taintwatch", &["ours.sysctl"]),
    ("start to first hook, nanoseconds", &["arm.first_hook"]),
    ("start to full coverage, nanoseconds", &["arm.ready"]),
    ("the same, time on the processor", &["arm.cpu"]),
    (
        "verified instructions, `mask_watch`",
        &["verified.mask_watch"],
    ),
    (
        "verified instructions, `taint_entry`",
        &["verified.add_taint"],
    ),
    (
        "resident memory, KiB; peak",
        &["memory.resident_kib", "memory.peak_kib"],
    ),
    ("wake-ups a minute while nothing happens", &["idle.minute"]),
];

/// The table.
pub(crate) fn markdown_table() -> String {
    let mut kernels: Vec<_> = fs::read_dir(root().join("docs/bench"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .collect();
    kernels.sort();
    let figures: Vec<Figures> = kernels
        .iter()
        .map(|name| serde_json::from_str(&read(&format!("docs/bench/{name}.json"))).unwrap())
        .collect();
    let mut out = format!(
        "| | {} |\n|--|{}\n",
        kernels.join(" | "),
        "--:|".repeat(kernels.len())
    );
    for (row, names) in ROWS {
        let cell = |of: &Figures| {
            let found = names.iter().filter_map(|name| of.get(*name));
            found
                .map(|value| grouped(*value))
                .collect::<Vec<_>>()
                .join("; ")
        };
        let cells: Vec<_> = figures.iter().map(cell).collect();
        out = format!("{out}| {row} | {} |\n", cells.join(" | "));
    }
    out
}

/// `1,234,567`
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
