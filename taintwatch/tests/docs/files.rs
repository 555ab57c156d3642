//! The repository's documents, and the parts of them that are generated.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every document for people, by its path from the root.
pub(crate) fn documents() -> Vec<String> {
    let in_folder = |folder: &str| {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let documents = names.filter(|name| Path::new(name).extension() == Some("md".as_ref()));
        documents
            .map(|name| format!("{folder}{name}"))
            .collect::<Vec<_>>()
    };
    let mut documents = [in_folder(""), in_folder("docs/"), in_folder("docs/fleet/")].concat();
    documents.sort();
    documents
}

/// Compares a whole generated file, or writes it.
pub(crate) fn generated(path: &str, text: &str) {
    let writes = env::var_os("TAINTWATCH_DOCS").is_some_and(|what| what == "write");
    if writes {
        fs::write(root().join(path), text).unwrap();
    }
    assert!(
        read(path) == text,
        "{path} is out of date: `cargo xtask docs` writes it"
    );
}

/// Compares the part between `<!-- NAME:begin … -->` and `<!-- NAME:end -->`, or writes it.
pub(crate) fn generated_part(path: &str, name: &str, part: &str) {
    let text = read(path);
    let (begin, end) = (format!("<!-- {name}:begin"), format!("<!-- {name}:end -->"));
    let (before, rest) = text
        .split_once(&begin)
        .unwrap_or_else(|| panic!("{path} has no {begin}"));
    let (marker, rest) = rest.split_once("-->\n").unwrap();
    let (_, after) = rest
        .split_once(&end)
        .unwrap_or_else(|| panic!("{path} has no {end}"));
    let part = part.trim_end();
    generated(
        path,
        &format!("{before}{begin}{marker}-->\n{part}\n{end}{after}"),
    );
}

/// The words in backticks that the first column of the table under a heading has.
pub(crate) fn listed(path: &str, heading: &str) -> Vec<String> {
    let text = read(path);
    let heading = format!("\n{heading}\n");
    let (_, section) = text
        .split_once(&heading)
        .unwrap_or_else(|| panic!("{path} has no {heading}"));
    let section = section.split("\n#").next().unwrap();
    let first = section
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    first
        .flat_map(|column| column.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}
