//! Shows what is being done: spinners on a terminal, plain lines in a pipe.
//!
//! In: names of steps, and lines of results, from several threads at once. Out: standard error for steps, standard
//! output for results; neither breaks a line of the other.

use std::{io::IsTerminal as _, sync::LazyLock, time::Duration};

use anyhow::Result;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// All spinners; none is drawn where standard error is no terminal.
static SPINNERS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Does one step, and shows how it went.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    if !std::io::stderr().is_terminal() {
        eprintln!("{name} …");
        return work();
    }
    let spinner = Spinner::new(name);
    let done = work();
    let took = spinner.0.elapsed().as_secs();
    drop(spinner);
    let mark = if done.is_ok() { "✓" } else { "✗" };
    SPINNERS.suspend(|| eprintln!("{mark} {name} ({took} s)"));
    done
}

/// Prints results, whole lines.
pub(crate) fn say(text: &str) {
    SPINNERS.suspend(|| println!("{text}"));
}

/// One thing that goes on beside others; gone when it is dropped.
pub(crate) struct Spinner(ProgressBar);

impl Spinner {
    pub(crate) fn new(name: &str) -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}");
        let bar = ProgressBar::new_spinner()
            .with_style(style.unwrap_or_else(|_built_in| ProgressStyle::default_spinner()))
            .with_message(name.to_owned());
        let bar = SPINNERS.add(bar);
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    pub(crate) fn show(&self, text: String) {
        self.0.set_message(text);
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
