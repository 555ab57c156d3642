//! The command line: parses the arguments, runs one verb, and turns errors into messages and exit codes.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use taintwatch::{
    cli::{Cli, Verb},
    command, logging,
    output::escape::Escaped,
    verdict::UNWATCHED,
};

/// An error of any kind.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse_or_exit();
    let is_daemon = matches!(cli.verb, Verb::Daemon(_));
    let _flush = logging::begin(is_daemon);
    match run(&cli) {
        Ok(code) => code.into(),
        // The reader closed the pipe: it wants no more.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) if is_daemon => {
            log::error!("{}", message(&error));
            FAILED.into()
        }
        Err(error) => {
            // If standard error is closed, nothing else can be done.
            _ = writeln!(io::stderr(), "taintwatch: {}", message(&error));
            let is_run = matches!(cli.verb, Verb::Run(_));
            (if is_run { UNWATCHED } else { FAILED }).into()
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<u8> {
    let mut out = anstream::stdout().lock();
    let code = match &cli.verb {
        Verb::Status(args) => command::status::run(&args.own, &cli.history(args)?, &mut out),
        Verb::Why(args) => command::why::run(&args.own, &cli.history(args)?, &mut out),
        Verb::Tail(args) => command::tail::run(&args.own, &cli.history(args)?, &mut out),
        Verb::Report(args) => {
            // Neither needs the configuration.
            let db = if args.own.reads_elsewhere() {
                PathBuf::new()
            } else {
                cli.history(args)?
            };
            command::report::run(&args.own, &db, &mut out)
        }
        Verb::Decode(args) => command::decode::run(args, &mut out),
        Verb::Explain(args) => command::explain::run(args, &mut out),
        Verb::Analyze(args) => command::analyze::run(args, &mut out),
        Verb::Run(args) => command::run::run(&args.own, &cli.history(args)?),
        Verb::Check(args) => command::check::run(args, &mut out),
        Verb::Daemon(args) => command::daemon::run(&args.own, cli.named_history(args), &mut out),
        Verb::Attach(args) => command::attach::run(args, &mut out),
        Verb::Detach(args) => command::detach::run(args, &mut out),
        Verb::Config(args) => command::config::run(args, &mut out),
    }?;
    out.flush()?;
    Ok(code)
}

/// The error and its causes, with control characters escaped in each line.
fn message(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    text.lines()
        .map(|line| Escaped(line).to_string())
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<io::Error>());
    let json = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<serde_json::Error>());
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
        || json.and_then(serde_json::Error::io_error_kind) == Some(io::ErrorKind::BrokenPipe)
}
