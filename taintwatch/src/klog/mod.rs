//! Kernel logs of the past: what they show of the taint state.
//!
//! In: the lines of a log, in the order in which they were written, whatever they came from. Out: findings (a report
//! from its first line to its last, a line of the module loader, a taint state that the kernel printed, a boot), and of
//! these the same events as the monitor gives, with their evidence. Pure and total, with bounded memory: no log is
//! too long, and no line is trusted.
//!
//! ```text
//! Line -> Scanner -> Finding -> Reconstruction -> Event
//! ```

mod before;
mod certain;
mod clean;
mod clock;
#[cfg(test)]
mod copied;
mod event;
mod facts;
mod finding;
pub mod form;
pub mod input;
mod journal;
mod line;
mod lines;
pub mod marks;
mod modules;
mod origin;
mod pause;
mod programs;
mod reconstruct;
mod report;
mod scanner;
pub mod stream;
#[cfg(test)]
mod tests;
mod tracker;
mod unread;
mod wrapped;

pub use facts::{Facts, Ran};
pub use finding::{Finding, LoggedBoot, What};
pub use line::{Line, Moment};
pub use modules::Listed;
pub use origin::Origin;
pub use reconstruct::{Reconstruction, Settled};
pub use scanner::Scanner;
pub use unread::Unread;
