//! The project's own commands: what a checkout needs to be built, tested and shown.
fn main() {}
