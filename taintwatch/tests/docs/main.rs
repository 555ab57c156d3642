//! The documents against the code: what is generated is current, what is listed by hand is complete, and the words are
//! plain.
//!
//! `cargo xtask docs` runs this test with `TAINTWATCH_DOCS=write`: then generated parts are written, not compared.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test ends where it fails"
)]

mod costs;
mod events;
mod files;
mod generated;
mod outputs;
#[path = "../../../tests/src/bin/scenarios/schema.rs"]
mod schema;
mod tables;
mod words;
