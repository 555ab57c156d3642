//! What is wrong with a configuration.

use std::fmt;

use super::position::Position;
use crate::output::escape::Escaped;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub at: Position,
    pub what: String,
}

/// Everything that is wrong, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    pub(super) fn add(&mut self, at: Position, what: impl Into<String>) {
        self.0.push(Fault {
            at,
            // Keys and values may hold anything.
            what: Escaped(&what.into()).to_string(),
        });
    }

    /// Nothing where there is no fault.
    pub(super) fn into_result(mut self) -> Result<(), Self> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.0.sort_by_key(|fault| fault.at);
        Err(self)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}
