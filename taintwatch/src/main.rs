//! The command line: parses the arguments and runs one verb.
fn main() {}
