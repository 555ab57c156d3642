//! Runs a command; one that fails is an error with its own last words.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Lines of a failed command that are worth showing.
const LAST_WORDS: usize = 25;

/// Runs to the end and gives back what was printed.
pub(crate) fn quiet(command: &mut Command) -> Result<String> {
    quiet_with_last(command, LAST_WORDS)
}

/// The same, where a failure is shown with so many lines.
pub(crate) fn quiet_with_last(command: &mut Command, last_words: usize) -> Result<String> {
    let name = format!("{command:?}");
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| not_started(&name))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    let last = lines
        .get(lines.len().saturating_sub(last_words)..)
        .unwrap_or_default()
        .join("\n");
    bail!("{name} failed ({}):\n{last}", output.status)
}

/// What is mostly missing, and what to do.
fn not_started(name: &str) -> String {
    format!(
        "start {name} (Debian's apt and the Rust toolchain of rust-toolchain.toml are needed; the README names both)"
    )
}
