//! What shells complete.
//!
//! In: the command line. Out: a script a shell, where its package looks for it.

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};
use taintwatch::cli::Cli;

/// Each shell and the path of its script.
const SHELLS: [(Shell, &str); 3] = [
    (
        Shell::Bash,
        "usr/share/bash-completion/completions/taintwatch",
    ),
    (
        Shell::Fish,
        "usr/share/fish/vendor_completions.d/taintwatch.fish",
    ),
    (Shell::Zsh, "usr/share/zsh/vendor-completions/_taintwatch"),
];

pub(crate) fn all() -> Vec<(&'static str, Vec<u8>)> {
    let script = |(shell, path): (Shell, &'static str)| {
        let mut text = Vec::new();
        generate(shell, &mut Cli::command(), "taintwatch", &mut text);
        (path, text)
    };
    SHELLS.into_iter().map(script).collect()
}
