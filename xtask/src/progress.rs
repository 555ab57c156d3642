//! Tells what is being done: a spinner on a terminal, plain lines in a pipe.

use std::{io::IsTerminal as _, time::Duration};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

/// Does one step and tells how it went.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    if !std::io::stderr().is_terminal() {
        eprintln!("{name} …");
        return work();
    }
    let style = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}");
    let bar = ProgressBar::new_spinner()
        .with_style(style.unwrap_or_else(|_built_in| ProgressStyle::default_spinner()))
        .with_message(name.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    let done = work();
    bar.finish_and_clear();
    let took = bar.elapsed().as_secs();
    eprintln!("{} {name} ({took} s)", if done.is_ok() { "✓" } else { "✗" });
    done
}
