//! Imports go one way.
//!
//! In: the sources of both programs, the order of modules in `src/lib.rs`, the table in `docs/architecture.md`. Out: a
//! failure that names each import of a module that comes later in the data flow, and each circle of files.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where it fails"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Files of a crate by their module path (`["klog", "form"]` for `klog/form/mod.rs`), with the paths that they import.
type Imports = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

#[test]
fn a_module_imports_only_what_comes_before_it_in_the_data_flow() {
    let order = order_of_modules();
    let place = |name: &String| order.iter().position(|module| module == name);
    let mut upward = Vec::new();
    for (file, imports) in imports("src") {
        for import in imports {
            let from = file.first().and_then(&place);
            if from.is_some() && import.first().and_then(&place) > from {
                upward.push(format!("{} imports {}", file.join("::"), import.join("::")));
            }
        }
    }
    assert_eq!(upward, Vec::<String>::new());
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    for sources in ["src", "../taintwatch-ebpf/src"] {
        let mut imports = imports(sources);
        while let Some(free) = imports.iter().find(|(_, of)| of.is_empty()) {
            let free = free.0.clone();
            imports.remove(&free);
            for of in imports.values_mut() {
                of.remove(&free);
            }
        }
        // Each file that is left imports another one that is left: following them leads into a circle.
        let mut walked: Vec<&Vec<String>> = imports.keys().take(1).collect();
        while let Some(next) = walked.last().and_then(|file| imports[*file].first()) {
            assert!(
                !walked.contains(&next),
                "a circle in {sources}, at the end of {walked:?} and {next:?}"
            );
            walked.push(next);
        }
    }
}

#[test]
fn the_documented_modules_stand_in_their_order() {
    let document = fs::read_to_string("../docs/architecture.md").unwrap();
    let rows = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    let names: Vec<_> = rows
        .flat_map(|row| row.split(['`', ',']))
        .map(str::trim)
        .filter(|name| !name.is_empty() && !name.contains('/'))
        .collect();
    assert_eq!(names, order_of_modules());
}

/// As `src/lib.rs` declares them.
fn order_of_modules() -> Vec<String> {
    let library = fs::read_to_string("src/lib.rs").unwrap();
    let name = |line: &str| Some(line.split_once("mod ")?.1.strip_suffix(';')?.to_owned());
    library.lines().filter_map(name).collect()
}

/// Imports between the files of a crate. A file takes types of those above it, and they are made of it: that is no circle.
fn imports(sources: &str) -> Imports {
    let mut texts = BTreeMap::new();
    read(Path::new(sources), &mut Vec::new(), &mut texts);
    let target = |path: &[String]| {
        (1..=path.len())
            .rev()
            .map(|end| path[..end].to_vec())
            .find(|it| texts.contains_key(it))
    };
    let of = |(file, text): (&Vec<String>, &String)| {
        let paths = paths(text, file)
            .into_iter()
            .filter_map(|path| target(&path));
        let others = paths.filter(|path| !file.starts_with(path));
        (file.clone(), others.collect())
    };
    texts.iter().map(of).collect()
}

/// The sources below a folder by their module path; tests are left out, they may look at anything.
fn read(folder: &Path, module: &mut Vec<String>, texts: &mut BTreeMap<Vec<String>, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if ["main", "lib", "tests"].contains(&name.as_str()) {
            continue;
        }
        module.push(name);
        if path.is_dir() {
            read(&path, module, texts);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let end = if module.last().unwrap() == "mod" {
                module.len() - 1
            } else {
                module.len()
            };
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("mod tests {").next().unwrap().to_owned();
            texts.insert(module[..end].to_vec(), code);
        }
        module.pop();
    }
}

/// Every path that begins with `crate::` or `super::`, groups in braces taken apart, and the files that it declares.
fn paths(code: &str, file: &[String]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code: String = lines.flat_map(|line| [line, "\n"]).collect();
    let declared = code
        .lines()
        .filter_map(|line| line.strip_suffix(';')?.split("mod ").nth(1));
    paths.extend(declared.map(|name| [file, &[name.to_owned()]].concat()));
    for (at, begin) in code
        .match_indices("crate::")
        .chain(code.match_indices("super::"))
    {
        if code[..at].ends_with("super::") {
            continue;
        }
        let mut rest = &code[at..];
        let mut base = if begin == "crate::" {
            Vec::new()
        } else {
            file.to_vec()
        };
        rest = rest.strip_prefix("crate::").unwrap_or(rest);
        while let Some(behind) = rest.strip_prefix("super::") {
            base.pop();
            rest = behind;
        }
        expand(&base, rest, &mut paths);
    }
    paths
}

/// Adds the paths of a tree such as `a::{b, c::d}`; gives what stands behind it.
fn expand<'a>(base: &[String], tree: &'a str, paths: &mut Vec<Vec<String>>) -> &'a str {
    if let Some(group) = tree.strip_prefix('{') {
        let mut group = group.trim_start();
        loop {
            group = expand(base, group, paths).trim_start();
            group = group.strip_prefix(',').unwrap_or(group).trim_start();
            assert!(
                group.starts_with(|c: char| c.is_alphanumeric() || "_}".contains(c)),
                "not a tree of imports: {group:.60}"
            );
            if let Some(behind) = group.strip_prefix('}') {
                return behind;
            }
        }
    }
    let end = tree
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(tree.len());
    let (name, rest) = tree.split_at(end);
    let path: Vec<_> = base
        .iter()
        .cloned()
        .chain((!name.is_empty()).then(|| name.to_owned()))
        .collect();
    if let Some(rest) = rest.strip_prefix("::") {
        return expand(&path, rest, paths);
    }
    paths.push(path);
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let alias = rest.strip_prefix(" as ");
    alias.map_or(rest, |alias| alias.trim_start_matches(is_name))
}

#[test]
fn a_tree_of_imports_is_taken_apart() {
    let code =
        "use crate::{\n    a::{self, B, c::D as E},\n    f,\n};\nuse super::g;\n// crate::h\n";
    let found: Vec<_> = paths(code, &["x".into(), "y".into()])
        .iter()
        .map(|path| path.join("::"))
        .collect();
    assert_eq!(found, ["a::self", "a::B", "a::c::D", "f", "x::g"]);
}
