//! What taintwatch costs, counted: runs in a guest whose clock counts instructions, one a nanosecond (`-icount shift=0`).
//!
//! In: the test modules, taintwatch itself. Out: a line for each figure, `count NAME VALUE`; all times are instructions of
//! the one CPU, the kernel's and its interrupts' included.

mod clock;
mod empty;
mod floor;
mod idle;
mod recorder;
mod work;

use anyhow::{Context as _, Result};

fn main() -> Result<()> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    work::load("tw_storm").context("load tw_storm")?;
    work::calls("bare")?;
    work::others("bare")?;
    floor::run()?;
    let recorder = recorder::start()?;
    recorder::verified()?;
    recorder.calls()?;
    if words.iter().any(|word| word == "whole") {
        idle::run(&recorder)?;
        recorder.memory()?;
    }
    recorder.end()
}

/// Prints a figure.
fn count(name: &str, value: u64) {
    println!("count {name} {value}");
}
