//! The words of the documents and of the help: those of kernel engineers, on lines that fit; and no dead link.

use clap::{Command, CommandFactory as _};
use taintwatch::cli::Cli;

use super::files::{documents, read, root};

/// Words of earlier versions that nobody else uses.
const AVOIDED: [&str; 7] = [
    "told",
    "the watch",
    "kernel half",
    "hole",
    "kin",
    "nobody",
    "sign of life",
];
const WIDEST: usize = 120;
/// Folders of the repository that documents name files in.
const FOLDERS: [&str; 6] = [
    "taintwatch/",
    "taintwatch-common/",
    "taintwatch-ebpf/",
    "tests/",
    "xtask/",
    "docs/",
];

/// The avoided words that a text has, as whole words.
fn avoided(text: &str) -> Vec<&'static str> {
    // The user, not a person.
    let text = text.replace("`nobody`", "").replace("\"nobody\"", "");
    let words = text.split(|character: char| !character.is_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    let text = format!(" {} ", words.join(" ").to_lowercase());
    let has = |words: &&str| text.contains(&format!(" {words} "));
    AVOIDED.into_iter().filter(has).collect()
}

#[test]
fn documents_use_the_words_of_kernel_engineers() {
    for path in documents() {
        assert_eq!(avoided(&read(&path)), [""; 0], "{path}");
    }
}

#[test]
fn the_help_uses_the_words_of_kernel_engineers() {
    fn all(command: &mut Command) {
        let help = command.render_long_help().to_string();
        assert_eq!(avoided(&help), [""; 0], "{} --help", command.get_name());
        command.get_subcommands_mut().for_each(all);
    }
    let mut cli = Cli::command();
    cli.build();
    all(&mut cli);
}

#[test]
fn lines_fit() {
    for path in documents() {
        for (number, line) in (1..).zip(read(&path).lines()) {
            let fits = line.chars().count() <= WIDEST || line.starts_with('|');
            assert!(fits, "{path}:{number} is wider than {WIDEST} columns");
        }
    }
}

#[test]
fn links_lead_somewhere() {
    for path in documents() {
        let text = read(&path);
        let folder = root().join(&path).parent().unwrap().to_owned();
        let links = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with('#') && !link.contains("://")) {
            let file = link.split('#').next().unwrap();
            assert!(folder.join(file).exists(), "{path} links to {link}");
        }
    }
}

#[test]
fn files_that_are_named_exist() {
    for path in documents() {
        let text = read(&path);
        // Blocks of commands show what a reader makes.
        let prose = text.split("```").step_by(2);
        let named = prose.flat_map(|prose| prose.split('`').skip(1).step_by(2));
        for name in named.filter(|name| FOLDERS.iter().any(|folder| name.starts_with(folder))) {
            let is_pattern = name.contains(['*', '…', ' ', '<']) || name.contains("NAME");
            assert!(
                is_pattern || root().join(name).exists(),
                "{path} names {name}"
            );
        }
    }
}
