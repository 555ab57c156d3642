//! Kernel logs of the past: what they tell of the taint state.
//!
//! In: the lines of a log, in the order in which they were written, whatever they came from. Out: findings (a report
//! from its first line to its last, a line of the module loader, a taint state that the kernel printed, a boot), and of
//! these the same events as the watch gives, with what they rest on. Pure and total, with bounded memory: no log is
//! too long, and no line is trusted.
//!
//! ```text
//! Line -> Scanner -> Finding -> Reconstruction -> Event
//! ```

mod before;
mod clean;
mod clock;
mod event;
mod facts;
pub mod form;
pub mod input;
mod journal;
mod line;
mod lines;
pub mod marks;
mod modules;
mod pause;
mod reconstruct;
mod report;
mod scanner;
pub mod stream;
mod summary;
#[cfg(test)]
mod tests;
mod tracker;

pub use facts::{Facts, Ran};
pub use line::{Line, Moment};
pub use modules::Listed;
pub use reconstruct::{Origin, Reconstruction};
pub use scanner::Scanner;

use crate::taint::log::TaintLine;

/// Something in a log that matters to the taint state.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub what: What,
    /// The machine, where the log names it.
    pub host: Option<String>,
    pub boot: Boot,
    /// The moment of the first line.
    pub at: Moment,
    /// The lines, without their prefixes; the first is the one that told of it.
    pub lines: Vec<String>,
    /// What the lines say beside.
    pub facts: Facts,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The kernel began, or lines of another boot begin.
    Boot,
    /// A flag was set: a report, or a single line.
    TaintLine(TaintLine),
    /// A taint state, a list of modules or a panic, and nothing that sets a flag.
    State,
}

/// One boot within a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Boot {
    /// Counted from 0 within the log, for each machine.
    pub ordinal: u64,
    /// The boot id, where the log has it (the journal).
    pub id: Option<String>,
    /// The kernel's release, from its first line or from a report.
    pub release: Option<String>,
}
