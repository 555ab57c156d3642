//! The command line: what can be asked for.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{command, store};

/// Record exactly what tainted this kernel, and when
///
/// Exit codes: 0 done, 2 an error. `status`: 0 untainted, 1 tainted, 2 cannot tell. `check`: 0 full cover, 1 less.
#[derive(Debug, Parser)]
#[command(name = "taintwatch", version, max_term_width = 100)]
pub struct Cli {
    /// Where the history is
    #[arg(long, global = true, value_name = "FILE", default_value = store::DEFAULT_PATH)]
    pub db: PathBuf,
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    Status(command::status::Args),
    Why(command::why::Args),
    Tail(command::tail::Args),
    Report(command::report::Args),
    Decode(command::decode::Args),
    Explain(command::explain::Args),
    Analyze(command::analyze::Args),
    Check(command::check::Args),
    Daemon(command::daemon::Args),
}
